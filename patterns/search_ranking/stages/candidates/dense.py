"""Candidates, box 1b: the documents whose vectors lie nearest to the query's.

A bi-encoder gives query and document a vector each, apart from one another, so that all document
vectors are made beforehand and a search is one encoded query and one nearest-neighbour look-up:

    score(q, d) = <e(q), e(d)>,  both of length 1, so this is the cosine

It finds what shares no word with the query ("robbery" -> a heist) and is lost on rare names the
encoder never saw, which is just what the inverted index is good at. Source: Reimers and Gurevych
2019, "Sentence-BERT". The index is FAISS, through `common.retrieval`; exact up to some 100,000
documents. A filtered search is exact over the allowed rows, so a narrow filter still fills k.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from common.retrieval import Candidates, IndexKind, VectorIndex, top_k

# Shapes: B queries, N documents, K candidates, D vector width


class Encoder(Protocol):
    """Anything that turns texts into unit vectors; see `common.encoders`."""

    def encode(self, texts: Sequence[str], *, precision: str = "fp32") -> np.ndarray:
        """(N, D) float32 of length 1."""


class Dense:
    """Nearest document vectors, of an encoder that is given and not trained here.

    `query_encoder` may be a quicker form of the same encoder: documents are encoded in bulk,
    queries one by one.
    """

    def __init__(self, *, encoder: Encoder, index: IndexKind = "flat") -> None:
        self.encoder = self.query_encoder = encoder
        self.kind = index

    def fit(self, texts: Sequence[str]) -> Dense:
        """Encode and index `texts`; row numbers are the document numbers of every answer.

        Documents are encoded in bf16 where the hardware is quick at it, queries never.
        """
        self.vectors_ = self.encoder.encode(list(texts), precision="auto")  # (N, D)
        self.index_ = VectorIndex(self.kind).build(self.vectors_)
        return self

    def encode(self, queries: Sequence[str]) -> np.ndarray:
        """(B, D) unit vectors of queries."""
        return self.query_encoder.encode(list(queries))

    def retrieve(
        self, query_vectors: np.ndarray, k: int, *, allowed: np.ndarray | None = None
    ) -> Candidates:
        """The k nearest documents, of those `allowed` (N,) bool where it is given."""
        if allowed is None:
            return self.index_.search(query_vectors, k)
        rows = np.flatnonzero(allowed)
        if not len(rows):
            empty = np.empty((len(query_vectors), 0))
            return Candidates(empty.astype(np.int64), empty.astype(np.float32))
        found = top_k(query_vectors @ self.vectors_[rows].T, k)
        return Candidates(rows[found.item_ids], found.scores)

    def cosines(self, query_vectors: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Cosine of each query with given documents: rows (B, K), -1 padding -> 0."""
        values = _row_products(query_vectors, self.vectors_, rows)
        return np.where(rows < 0, np.float32(0), values)

    def save(self, folder: Path) -> None:
        """The vectors and the FAISS index; the encoder is saved by its owner."""
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(folder / "vectors.npz", vectors=self.vectors_)
        self.index_.save(folder / "documents.faiss")

    def load(self, folder: Path) -> Dense:
        """Read back what `save` wrote."""
        with np.load(folder / "vectors.npz", allow_pickle=False) as arrays:
            self.vectors_ = arrays["vectors"]
        self.index_ = VectorIndex(self.kind).load(folder / "documents.faiss")
        return self


def _row_products(query_vectors: np.ndarray, vectors: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """<q_b, d_{rows[b, k]}> in blocks of queries, so that the gathered vectors fit in memory."""
    out = np.empty(rows.shape, np.float32)
    for start in range(0, len(rows), 256):
        block = slice(start, start + 256)
        out[block] = np.einsum("bkd,bd->bk", vectors[rows[block]], query_vectors[block])
    return out
