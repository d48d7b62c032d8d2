"""A text that is longer than the model reads is answered, and the answer says so."""

from __future__ import annotations

from collections.abc import Mapping
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


class Session:
    """Answers as ONNX Runtime does: two logits a text."""

    def get_outputs(self) -> list[Any]:
        return [SimpleNamespace(shape=("batch", 2))]

    def run(self, names: None, feeds: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        return [np.zeros((len(feeds["ids"]), 2), dtype=np.float32)]


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
    service.pipeline.served_ = OnnxClassifier(Session(), tokens, b"")
    texts = ["a a", "a a a a a a", "a"]
    answers = service.predict([ClassificationRequest(text=text) for text in texts])
    assert [answer.truncated for answer in answers] == [False, True, False]
    assert answers[0].labels[0].probability == pytest.approx(0.5)


def test_the_baseline_reads_all() -> None:
    assert TfidfClassifier().truncates(["a " * 10_000, "a"]) == [False, False]
