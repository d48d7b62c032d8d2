"""What ALS and the two-tower network share: a user vector, item vectors, an inner product.

Retrieval is a maximum inner product search. The exact one is a matrix product, where seen items are
left out before the best are taken. An approximate index cannot leave them out, so it is asked for
as many more as a history holds and they are dropped afterwards; users of similarly long histories
are searched together, since one long history would make the search deep for all.

Legend: `B` requests, `N` items, `K` candidates, `D` dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from common.retrieval import NOTHING, Candidates, IndexKind, VectorIndex, top_k

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

PRODUCTS = 2**24  # held at once by the exact search: 64 MiB


class ItemVectors:
    """Item vectors (N, D) with their index."""

    def __init__(self, vectors: np.ndarray, *, kind: IndexKind = "flat") -> None:
        self.vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        self.kind: IndexKind = kind
        self.index = VectorIndex(kind).build(self.vectors)

    def retrieve(self, users: np.ndarray, seen: csr_matrix, k: int) -> Candidates:
        """Give the `k` unseen items of largest inner product with each of `users` (B, D)."""
        if self.kind == "flat":
            return self._exact(users, seen, k)
        lengths = np.diff(seen.indptr)
        depths = np.frexp(lengths)[1]  # 2^depth is above the length: few searches, none too deep
        order = np.argsort(depths, kind="stable")
        groups = np.split(order, np.flatnonzero(np.diff(depths[order])) + 1)
        found = [
            without_seen(
                self.index.search(users[group], k + int(lengths[group].max(initial=0))),
                seen[group],
                k,
            )
            for group in groups
        ]
        merged, back = _stacked(found), np.argsort(order)
        return Candidates(merged.item_ids[back], merged.scores[back])

    def _exact(self, users: np.ndarray, seen: csr_matrix, k: int) -> Candidates:
        rows = max(1, PRODUCTS // max(len(self.vectors), 1))
        if len(users) <= rows:  # cutting a sparse matrix takes longer than one search
            return top_k(users @ self.vectors.T, k, exclude=seen)
        parts = [slice(start, start + rows) for start in range(0, len(users), rows)]
        return _stacked([top_k(users[p] @ self.vectors.T, k, exclude=seen[p]) for p in parts])

    def score(self, users: np.ndarray, item_ids: np.ndarray) -> np.ndarray:
        """Give the inner products of `users` (B, D) with any items (B, K); padding scores 0."""
        products = np.einsum("bd,bkd->bk", users, self.vectors[item_ids])
        return np.where(item_ids < 0, 0.0, products).astype(np.float32)

    def save(self, path: Path) -> None:
        """Write the vectors; the index is rebuilt from them."""
        np.savez(path, vectors=self.vectors, kind=np.array(self.kind))

    @classmethod
    def load(cls, path: Path) -> ItemVectors:
        """Read what `save` wrote."""
        with np.load(path) as arrays:
            return cls(arrays["vectors"], kind=str(arrays["kind"]))  # type: ignore[arg-type]


def without_seen(found: Candidates, seen: csr_matrix, k: int) -> Candidates:
    """Drop what each user has seen and keep the first `k`; the order stays."""
    keys = np.repeat(np.arange(seen.shape[0]), np.diff(seen.indptr)) * seen.shape[1] + seen.indices
    wanted = np.arange(len(found))[:, None] * seen.shape[1] + found.item_ids
    dropped = np.isin(wanted, keys) | (found.item_ids == NOTHING)
    order = np.argsort(dropped, axis=1, kind="stable")[:, :k]  # kept ones first, in their order
    dropped = np.take_along_axis(dropped, order, axis=1)
    return Candidates(
        np.where(dropped, NOTHING, np.take_along_axis(found.item_ids, order, axis=1)),
        np.where(dropped, -np.inf, np.take_along_axis(found.scores, order, axis=1)).astype(
            np.float32
        ),
    )


def _stacked(parts: Sequence[Candidates]) -> Candidates:
    """Join lists of different requests, padding the shorter ones."""
    width = max(part.item_ids.shape[1] for part in parts)
    wider = [((0, 0), (0, width - part.item_ids.shape[1])) for part in parts]
    pairs = list(zip(parts, wider, strict=True))
    return Candidates(
        np.concatenate([np.pad(p.item_ids, w, constant_values=NOTHING) for p, w in pairs]),
        np.concatenate([np.pad(p.scores, w, constant_values=-np.inf) for p, w in pairs]),
    )
