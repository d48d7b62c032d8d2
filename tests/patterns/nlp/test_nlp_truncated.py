"""A text that is longer than the model reads is answered, and the answer says so."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from common.encoders import Tokens
from patterns.nlp.classification.pipeline import Pipeline
from patterns.nlp.classification.serve import ClassificationRequest, ClassificationService
from patterns.nlp.classification.stages.export import OnnxClassifier
from patterns.nlp.classification.stages.tfidf import TfidfClassifier

MOST = 5  # tokens


class Cutting:
    """Reads the beginning of a text, and finds both of two labels as likely."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        return np.zeros((len(texts), 2))

    def outputs(self, texts: Sequence[str]) -> Any:
        return SimpleNamespace(logits=self.predict(texts), vectors=None)

    def truncates(self, texts: Sequence[str]) -> list[bool]:
        return self.tokens.truncates(texts)


@pytest.fixture
def tokens() -> Tokens:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    tokenizer = Tokenizer(models.WordLevel({"a": 0, "[CLS]": 1, "[UNK]": 2}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        "[CLS] $A", special_tokens=[("[CLS]", 1)]
    )
    return Tokens(tokenizer, pad=0, max_length=MOST)


def test_tokens_tell_which_texts_are_longer(tokens: Tokens) -> None:
    texts = ["a a a a", "a a a a a", "", "a " * 1000]  # one token stands before each
    assert tokens.truncates(texts) == [False, True, False, True]
    assert tokens.cut(texts) == 2
    assert [len(ids) for ids in tokens(texts)] == [MOST, MOST, 1, MOST]


def test_the_answer_says_it(tokens: Tokens) -> None:
    service = ClassificationService.__new__(ClassificationService)
    service.version, service.pipeline = "v", Pipeline(label_names=("x", "y"))
    served: Any = Cutting(tokens)
    service.pipeline.served_ = served
    texts = ["a a", "a a a a a a", "a"]
    answers = service.predict([ClassificationRequest(text=text) for text in texts])
    assert [answer.truncated for answer in answers] == [False, True, False]
    assert answers[0].labels[0].probability == pytest.approx(0.5)


def test_the_baseline_reads_all_and_an_export_what_its_tokens_hold(tokens: Tokens) -> None:
    export = OnnxClassifier.__new__(OnnxClassifier)
    export.tokens = tokens
    assert export.truncates(["a a a a", "a a a a a"]) == [False, True]
    assert TfidfClassifier().truncates(["a " * 10_000, "a"]) == [False, False]
