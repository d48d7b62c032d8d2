"""Texts to unit vectors: a sentence transformer where one can be had, TF-IDF + SVD where not.

    transformer   v = mean of the last layer's token vectors, v / |v|       (Sentence-BERT, § 3)
    fallback      v = V_D^T tfidf(text), v / |v|: latent semantic analysis  (Deerwester et al. 1990)

Both have one interface, so that search, content features and classification work on a machine
without any weights; the fallback says so in `.notice`, which the pattern prints and reports.
`pretrained.py` has the order in which weights are looked for. Texts are encoded in batches of
similar length, since a batch costs what its longest text costs.

Shapes: N texts, D dimensions.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from common.pretrained import (
    MINILM,
    MINILM_NAMES,
    EncoderUnavailable,
    Found,
    find_transformer,
    load_found,
    load_transformer,
)

__all__ = [
    "Encoder",
    "EncoderUnavailable",
    "TfidfSvdEncoder",
    "TransformerEncoder",
    "load_encoder",
    "load_transformer",
]

FALLBACK = "tfidf-svd"
EXPORTED = "onnx"
INDEX = "encoder.json"


class Encoder(ABC):
    """What turns texts into vectors; `fit` matters to the fallback only, and is always safe."""

    name: str
    notice: str | None = None

    @property
    @abstractmethod
    def dimension(self) -> int:
        """D."""

    def fit(self, corpus: Sequence[str]) -> Self:
        """Learn from a corpus; a pretrained encoder has nothing to learn."""
        return self

    @abstractmethod
    def encode(
        self, texts: Sequence[str], batch_size: int = 64, *, precision: str = "fp32"
    ) -> np.ndarray:
        """Return (N, D) float32 rows of length 1; a text without any known word may be a zero row.

        `precision` "auto" multiplies in bf16 where the hardware does so quickly: good for a large
        corpus, at differences of about .005 in a cosine.
        """

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write all that `load` needs."""

    @staticmethod
    def load(folder: Path) -> Encoder:
        """Read what `save` wrote; needs neither network nor package."""
        facts = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        if facts["kind"] == FALLBACK:
            return TfidfSvdEncoder._load(folder, facts)
        if facts["kind"] == EXPORTED:
            from common.onnx_encoder import OnnxEncoder

            return OnnxEncoder._load(folder, facts)
        return TransformerEncoder._load(folder, facts)


def load_encoder(
    model: str = "auto", *, dimension: int = 256, max_length: int = 256, device: str = "auto"
) -> Encoder:
    """Find an encoder; `fit(corpus)` must follow before the fallback can encode.

    "auto" is all-MiniLM-L6-v2 or, where it cannot be had, TF-IDF + SVD of `dimension` with a
    notice; "tfidf-svd" asks for the latter. Any other name that cannot be had raises
    `EncoderUnavailable`, since somebody chose it.
    """
    if model == FALLBACK:
        return TfidfSvdEncoder(dimension=dimension)
    try:
        found = find_transformer(model)
    except EncoderUnavailable as missing:
        if model not in MINILM_NAMES:
            raise
        return TfidfSvdEncoder(
            dimension=dimension,
            notice=f"no sentence transformer ({missing}); texts are encoded by TF-IDF + SVD",
        )
    return TransformerEncoder.from_found(found, max_length=max_length, device=device)


class TransformerEncoder(Encoder):
    """A pretrained transformer with mean (or, where its files say so, first-token) pooling."""

    def __init__(
        self,
        tokenizer: Any,
        model: Any,
        *,
        name: str = MINILM,
        pooling: str = "mean",
        max_length: int = 256,
        device: str = "auto",
    ) -> None:
        import torch

        self.tokenizer, self.name, self.pooling = tokenizer, name, pooling
        self.max_length = max_length
        cuda = device != "cpu" and torch.cuda.is_available()
        self.device = torch.device("cuda" if cuda else "cpu")
        self.model = model.to(self.device).eval()

    @classmethod
    def from_found(cls, found: Found, *, max_length: int = 256, device: str = "auto") -> Self:
        """Load from a folder that `find_transformer` found."""
        tokenizer, model = load_found(found)
        pooling = _pooling(found.folder)
        return cls(
            tokenizer,
            model,
            name=found.name,
            pooling=pooling,
            max_length=max_length,
            device=device,
        )

    @property
    def dimension(self) -> int:
        """D."""
        return int(self.model.config.hidden_size)

    def encode(
        self, texts: Sequence[str], batch_size: int = 64, *, precision: str = "fp32"
    ) -> np.ndarray:
        """Return (N, D) float32 unit rows; texts beyond `max_length` tokens are cut."""
        import torch

        from common.training import LengthLoader, cpu_has_fast_bf16

        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        if not len(texts):
            return vectors
        fast = self.device.type == "cuda" or cpu_has_fast_bf16()
        half = precision == "bf16" or (precision == "auto" and fast)
        ids = self.tokenizer(list(texts), truncation=True, max_length=self.max_length)["input_ids"]
        pad = self.tokenizer.pad_token_id or 0
        loader = LengthLoader(
            ids, np.arange(len(ids)), batch_size=batch_size, pad=pad, shuffle=False
        )
        with torch.inference_mode(), torch.autocast(self.device.type, torch.bfloat16, enabled=half):
            for tokens, mask, rows in loader:
                pooled = self.pool(tokens.to(self.device), mask.to(self.device))  # (B, D)
                vectors[rows.numpy()] = pooled.float().cpu().numpy()
        return _unit(vectors)

    def pool(self, tokens: Any, mask: Any) -> Any:
        """Return vectors (B, D), of any length, for tokens and mask (B, L)."""
        hidden = self.model(input_ids=tokens, attention_mask=mask).last_hidden_state.float()
        if self.pooling == "cls":
            return hidden[:, 0]
        weights = mask[:, :, None].float()  # (B, L, 1)
        return (hidden * weights).sum(1) / weights.sum(1)

    def save(self, folder: Path) -> None:
        """Write weights (safetensors) and tokenizer files."""
        folder.mkdir(parents=True, exist_ok=True)
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        facts = {
            "kind": "transformer", "name": self.name, "pooling": self.pooling,
            "max_length": self.max_length,
        }  # fmt: skip
        write_facts(folder, facts)

    @classmethod
    def _load(cls, folder: Path, facts: dict[str, Any]) -> TransformerEncoder:
        tokenizer, model = load_found(Found(facts["name"], folder, "folder"))
        return cls(
            tokenizer,
            model,
            name=facts["name"],
            pooling=facts["pooling"],
            max_length=facts["max_length"],
        )


class TfidfSvdEncoder(Encoder):
    """Words and word pairs, weighted, then projected to the `dimension` strongest directions."""

    def __init__(
        self,
        *,
        dimension: int = 256,
        max_features: int = 50_000,
        seed: int = 0,
        notice: str | None = None,
    ) -> None:
        self.name, self.notice = FALLBACK, notice
        self.wanted, self.max_features, self.seed = dimension, max_features, seed
        self.components_: np.ndarray | None = None  # (D, V)

    @property
    def dimension(self) -> int:
        """D; below the one asked for where the corpus has fewer directions."""
        return self.wanted if self.components_ is None else len(self.components_)

    def fit(self, corpus: Sequence[str]) -> Self:
        """Learn vocabulary, weights and directions from texts of which some have words."""
        from sklearn.decomposition import TruncatedSVD

        try:
            self.vectorizer_ = self._vectorizer()
            weights = self.vectorizer_.fit_transform(corpus)  # (N, V) sparse
        except ValueError as cause:
            raise ValueError(
                f"corpus: no words in {len(corpus)} texts; give texts to learn from"
            ) from cause
        dimension = max(1, min(self.wanted, min(weights.shape) - 1))
        if min(weights.shape) < 2:  # one text or one word: no decomposition, one direction
            self.components_ = np.full((1, weights.shape[1]), 1.0, dtype=np.float32)
            return self
        svd = TruncatedSVD(dimension, random_state=self.seed).fit(weights)
        self.components_ = svd.components_.astype(np.float32)
        return self

    def encode(
        self, texts: Sequence[str], batch_size: int = 64, *, precision: str = "fp32"
    ) -> np.ndarray:
        """Return (N, D) float32 rows of length 1, or 0 for a text without a known word."""
        if self.components_ is None:
            raise ValueError("encoder: tfidf-svd has seen no corpus; call fit(corpus) first")
        if not len(texts):
            return np.zeros((0, self.dimension), dtype=np.float32)
        return _unit(np.asarray(self.vectorizer_.transform(texts) @ self.components_.T, np.float32))

    def save(self, folder: Path) -> None:
        """Write the vocabulary as JSON, weights and directions as npz."""
        assert self.components_ is not None, "saved before it was fitted"
        folder.mkdir(parents=True, exist_ok=True)
        words = {word: int(column) for word, column in self.vectorizer_.vocabulary_.items()}
        facts = {
            "kind": FALLBACK, "notice": self.notice, "seed": self.seed,
            "max_features": self.max_features, "vocabulary": words,
        }  # fmt: skip
        write_facts(folder, facts)
        np.savez(folder / "tfidf.npz", idf=self.vectorizer_.idf_, components=self.components_)

    @classmethod
    def _load(cls, folder: Path, facts: dict[str, Any]) -> TfidfSvdEncoder:
        with np.load(folder / "tfidf.npz", allow_pickle=False) as arrays:
            idf, components = arrays["idf"], arrays["components"]
        encoder = cls(
            dimension=len(components),
            max_features=facts["max_features"],
            seed=facts["seed"],
            notice=facts["notice"],
        )
        encoder.vectorizer_ = encoder._vectorizer(vocabulary=facts["vocabulary"])
        encoder.vectorizer_.idf_ = idf
        encoder.components_ = components
        return encoder

    def _vectorizer(self, vocabulary: dict[str, int] | None = None) -> Any:
        from sklearn.feature_extraction.text import TfidfVectorizer

        return TfidfVectorizer(
            sublinear_tf=True,
            ngram_range=(1, 2),
            max_features=self.max_features if vocabulary is None else None,
            token_pattern=r"(?u)\b\w+\b",
            vocabulary=vocabulary,
            dtype=np.float32,
        )


def _pooling(folder: Path) -> str:
    """Read the pooling a sentence-transformers folder asks for; mean without one."""
    path = folder / "1_Pooling" / "config.json"
    if not path.is_file():
        return "mean"
    return "cls" if json.loads(path.read_text()).get("pooling_mode_cls_token") else "mean"


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Divide rows by their length; zero rows stay zero."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def write_facts(folder: Path, facts: dict[str, Any]) -> None:
    """Write what `Encoder.load` reads first: the kind, and what that kind needs."""
    (folder / INDEX).write_text(json.dumps(facts, ensure_ascii=False), encoding="utf-8")
