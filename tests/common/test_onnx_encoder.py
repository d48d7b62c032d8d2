"""The exported encoder gives the vectors of the one it came from, and says so where it cannot."""

import numpy as np
import pytest

from common.encoders import (
    OnnxEncoder,
    TfidfSvdEncoder,
    TransformerEncoder,
    for_queries,
    load_saved,
    onnx,
)

WORDS = ["space", "heist", "ghost", "story", "a", "of", "the", "spider", "man"]
TEXTS = ["space heist", "a ghost story of the spider man", "heist", "the the the a", "unknown"]


@pytest.fixture(scope="module", params=["mean", "cls"])
def tiny(request: pytest.FixtureRequest) -> TransformerEncoder:
    """A BERT of one layer with random weights and a vocabulary of nine words."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    vocabulary = {
        word: row for row, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])
    }
    tokens = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokens.pre_tokenizer = pre_tokenizers.Whitespace()
    tokens.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=tokens, pad_token="[PAD]", unk_token="[UNK]"
    )
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=32,
    )  # fmt: skip
    return TransformerEncoder(
        tokenizer, BertModel(config), name="tiny", pooling=request.param, max_length=8, device="cpu"
    )


@pytest.fixture(scope="module")
def export(tiny: TransformerEncoder) -> OnnxEncoder:
    encoder, said = for_queries(tiny, TEXTS)
    assert isinstance(encoder, OnnxEncoder) and said is None
    return encoder


def test_the_export_gives_the_same_vectors_and_survives_a_save(tiny, export, tmp_path) -> None:
    texts = [*TEXTS, "", "space " * 50]
    vectors = export.encode(texts)
    assert vectors == pytest.approx(tiny.encode(texts), abs=1e-5)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(len(texts)), abs=1e-5)
    assert np.concatenate([export.encode([text]) for text in texts]) == pytest.approx(
        vectors, abs=1e-5
    )
    assert export.encode([]).shape == (0, 16)
    export.save(tmp_path)
    assert np.array_equal(load_saved(tmp_path).encode(texts), vectors)


def test_a_text_that_is_cut_is_told(tiny, export) -> None:
    texts = ["a a a a a a", "a a a a a a a", "", "a " * 50]  # eight tokens with the special ones
    cut = [False, True, False, True]
    assert tiny.truncates(texts) == export.truncates(texts) == cut
    assert tiny.truncates([]) == export.truncates([]) == []
    assert TfidfSvdEncoder(dimension=4).truncates(texts) == [False] * 4
    assert tiny.encode(texts) == pytest.approx(export.encode(texts), abs=1e-5)  # as before


def test_an_export_that_differs_or_fails_is_not_used_and_said(tiny, export, monkeypatch) -> None:
    monkeypatch.setattr(onnx, "exported", lambda _: export)
    monkeypatch.setattr(onnx, "largest_difference", lambda *_: 0.5)
    encoder, said = for_queries(tiny, TEXTS)
    assert encoder is tiny and "differs by 0.5" in (said or "")

    def broken(_: TransformerEncoder) -> OnnxEncoder:
        raise RuntimeError("no such operator\nand more")

    monkeypatch.setattr(onnx, "exported", broken)
    encoder, said = for_queries(tiny, TEXTS)
    assert encoder is tiny and "(no such operator)" in (said or "")


def test_what_is_quick_already_is_left_alone() -> None:
    encoder = TfidfSvdEncoder(dimension=4)
    assert for_queries(encoder, TEXTS) == (encoder, None)
