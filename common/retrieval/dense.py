"""Dense retrieval: the documents whose vectors lie nearest to the query's.

A bi-encoder gives query and document a vector each, apart from one another, so that all document
vectors are made beforehand and a search is one encoded query and one nearest-neighbour look-up:

    score(q, d) = <e(q), e(d)>,  both of length 1, so this is the cosine

It finds what shares no word with the query ("robbery" -> a heist) and is lost on rare names the
encoder never saw, which is just what the inverted index is good at. Source: Reimers and Gurevych
2019, "Sentence-BERT". The index is FAISS, through `VectorIndex`; exact by default. A filtered
search is exact over the allowed rows, so a narrow filter still fills k.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np

from common.atomic import write_json
from common.encoders import Encoder, for_queries, load_saved
from common.retrieval.candidates import Candidates, top_k
from common.retrieval.index import VectorIndex
from common.vector_store import IndexKind

# Shapes: B queries, N documents, K candidates, D vector width


class Dense:
    """Nearest document vectors, of an encoder that is given and not trained here.

    Documents are encoded in bulk, queries one by one, by a quicker form of the same encoder where
    there is one.
    """

    def __init__(self, *, encoder: Encoder, index: IndexKind = "flat") -> None:
        self.encoder, self.index = encoder, index

    def fit(self, texts: Sequence[str]) -> Self:
        """Encode and index `texts`; row numbers are the document numbers of every answer.

        Documents are encoded in bf16 where the hardware is quick at it, queries never. What must
        be said of the encoder stands in `notices_`.
        """
        self.encoder.fit(texts)
        self.query_encoder_, self._said = for_queries(self.encoder, texts[:100])
        return self._indexed(texts)

    def refit(self, texts: Sequence[str]) -> Self:
        """Index other texts instead; an encoder that learns from its texts learns anew."""
        again = self.query_encoder_ is self.encoder
        return self.fit(texts) if again else self._indexed(texts)

    def _indexed(self, texts: Sequence[str]) -> Self:
        self.vectors_ = self.encoder.encode(texts, precision="auto")  # (N, D)
        self.index_ = VectorIndex(self.index).build(self.vectors_)
        self.notices_ = [text for text in (self.encoder.notice, self._said) if text]
        cut = self.encoder.cut_share
        if cut:
            self.notices_.append(
                f"{cut:.0%} of the documents are longer than the encoder's max_length: it reads "
                "their beginning."
            )
        return self

    def encode(self, queries: Sequence[str]) -> np.ndarray:
        """Encode queries as unit vectors (B, D)."""
        return self.query_encoder_.encode(list(queries))

    def retrieve(
        self, query_vectors: np.ndarray, k: int, *, allowed: np.ndarray | None = None
    ) -> Candidates:
        """Return the k nearest documents, of those `allowed` (N,) where it is given."""
        if allowed is None:
            return self.index_.search(query_vectors, k)
        rows = np.flatnonzero(allowed)
        if not len(rows):
            empty = np.empty((len(query_vectors), 0))
            return Candidates(empty.astype(np.int64), empty.astype(np.float32))
        found = top_k(query_vectors @ self.vectors_[rows].T, k)
        return Candidates(rows[found.item_ids], found.scores)

    def cosines(self, query_vectors: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return the cosine of each query with given documents: rows (B, K), -1 padding -> 0."""
        values = _row_products(query_vectors, self.vectors_, rows)
        return np.where(rows < 0, np.float32(0), values)

    def save(self, folder: Path) -> None:
        """Write the vectors, the FAISS index and the encoder of queries."""
        write_json(folder / "dense.json", {"index": self.index})
        np.savez(folder / "vectors.npz", vectors=self.vectors_)
        self.index_.save(folder / "documents.faiss")
        (folder / "encoder").mkdir()
        self.query_encoder_.save(folder / "encoder")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; the encoder is then that of queries."""
        settings = json.loads((folder / "dense.json").read_text(encoding="utf-8"))
        encoder = load_saved(folder / "encoder")
        dense = cls(encoder=encoder, index=settings["index"])
        dense.query_encoder_ = encoder
        with np.load(folder / "vectors.npz", allow_pickle=False) as arrays:
            dense.vectors_ = arrays["vectors"]
        dense.index_ = VectorIndex(dense.index).load(folder / "documents.faiss")
        return dense


def _row_products(query_vectors: np.ndarray, vectors: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Multiply <q_b, d_{rows[b, k]}> in blocks of queries, whose gathered vectors fit in memory."""
    out = np.empty(rows.shape, np.float32)
    for start in range(0, len(rows), 256):
        block = slice(start, start + 256)
        out[block] = np.einsum("bkd,bd->bk", vectors[rows[block]], query_vectors[block])
    return out
