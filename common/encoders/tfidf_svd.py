"""The fallback without any weights: TF-IDF, then the strongest directions of its matrix.

    e = V_D^T tfidf(text), divided by its length: latent semantic analysis  (Deerwester et al. 1990)

Shapes: N texts, V words and word pairs, D dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from common.encoders.base import Encoder, write_facts
from common.text import word_pattern
from common.vectors import unit_rows

TFIDF_SVD = "tfidf-svd"


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
        self.name, self.notice = TFIDF_SVD, notice
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
            raise ValueError("encoder: tfidf-svd is not fitted; call fit(corpus) first")
        if not len(texts):
            return np.zeros((0, self.dimension), dtype=np.float32)
        weights = self.vectorizer_.transform(texts)  # (N, V) sparse
        return unit_rows(np.asarray(weights @ self.components_.T, np.float32))

    def save(self, folder: Path) -> None:
        """Write the vocabulary as JSON, weights and directions as npz."""
        assert self.components_ is not None, "saved before it was fitted"
        words = {word: int(column) for word, column in self.vectorizer_.vocabulary_.items()}
        facts = {
            "kind": TFIDF_SVD, "notice": self.notice, "seed": self.seed,
            "max_features": self.max_features, "vocabulary": words,
        }  # fmt: skip
        write_facts(folder, facts)
        np.savez(folder / "tfidf.npz", idf=self.vectorizer_.idf_, components=self.components_)

    @classmethod
    def load(cls, folder: Path, facts: dict[str, Any]) -> Self:
        """Read what `save` wrote."""
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
            token_pattern=word_pattern(),
            vocabulary=vocabulary,
            dtype=np.float32,
        )
