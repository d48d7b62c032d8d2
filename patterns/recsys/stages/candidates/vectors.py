"""What ALS, the two-tower network and content share: a user vector, item vectors, a product.

Retrieval is a maximum inner product search. The exact one is a matrix product, where seen items are
left out before the best are taken. An approximate index cannot leave them out, so it is asked for
as many more as a history holds and they are dropped afterwards; users of similarly long histories
are searched together, since one long history would make the search deep for all.

Shapes: `B` requests, `N` items, `K` candidates, `D` dimensions.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from common.retrieval import MISSING, Candidates, IndexKind, VectorIndex, top_k
from common.vectors import unit_rows
from patterns.recsys.entities.requests import Requests
from patterns.recsys.stages.candidates.source import Source

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

PRODUCTS = 2**24  # held at once by the exact search: 64 MiB
BLOCK = 256  # requests at a time


class ItemVectors:
    """Item vectors (N, D) with their index."""

    def __init__(self, vectors: np.ndarray, *, kind: IndexKind = "flat") -> None:
        self.vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        self.kind: IndexKind = kind
        self.index = None if kind == "flat" else VectorIndex(kind).build(self.vectors)
        self.unit = unit_rows(self.vectors)  # (N, D), for cosines

    def retrieve(self, users: np.ndarray, seen: csr_matrix, k: int) -> Candidates:
        """Return the `k` unseen items of largest inner product with each of `users` (B, D)."""
        index = self.index
        if index is None:
            return self._exact(users, seen, k)
        return unseen(lambda rows, width: index.search(users[rows], width), seen, k)

    def _exact(self, users: np.ndarray, seen: csr_matrix, k: int) -> Candidates:
        rows = max(1, PRODUCTS // max(len(self.vectors), 1))
        if len(users) <= rows:  # cutting a sparse matrix takes longer than one search
            return top_k(users @ self.vectors.T, k, exclude=seen)
        parts = [slice(start, start + rows) for start in range(0, len(users), rows)]
        found = [top_k(users[p] @ self.vectors.T, k, exclude=seen[p]) for p in parts]
        return Candidates.concatenate(found)

    def score(self, users: np.ndarray, item_ids: np.ndarray) -> np.ndarray:
        """Return the inner products of `users` (B, D) with any items (B, K); padding scores 0."""
        products = np.einsum("bd,bkd->bk", users, self.vectors[item_ids])
        return np.where(item_ids < 0, 0.0, products).astype(np.float32)

    def save(self, folder: Path) -> None:
        """Write the vectors; the index is rebuilt from them."""
        np.savez(folder / "vectors.npz", vectors=self.vectors, kind=np.array(self.kind))

    @classmethod
    def load(cls, folder: Path) -> ItemVectors:
        """Read what `save` wrote."""
        with np.load(folder / "vectors.npz") as arrays:
            return cls(arrays["vectors"], kind=str(arrays["kind"]))  # type: ignore[arg-type]


class VectorSource(Source):
    """A source whose score is the inner product of a user's vector and an item's."""

    items_: ItemVectors

    @abstractmethod
    def user_vectors(self, requests: Requests) -> np.ndarray:
        """Return the users' vectors (B, D)."""

    def retrieve(self, requests: Requests, k: int) -> Candidates:
        """Return the `k` unseen items of largest inner product; none without a history."""
        found = self.items_.retrieve(self.user_vectors(requests), requests.barred, k)
        return found.where(np.diff(requests.seen.indptr) > 0)

    def score(self, requests: Requests, item_ids: np.ndarray) -> np.ndarray:
        """Return the inner products with any items (B, K); padding scores 0."""
        return self.items_.score(self.user_vectors(requests), item_ids)

    @property
    def space(self) -> np.ndarray:
        """Unit vectors of the items (N, D)."""
        return self.items_.unit


def unseen(ranked: Callable[[np.ndarray, int], Candidates], seen: csr_matrix, k: int) -> Candidates:
    """Ask `ranked(rows, width)` for enough items; keep the first `k` that each user has not seen.

    Requests go in blocks of similarly long histories, so that one user with a million events does
    not make everybody's list a million items wide.
    """
    lengths = np.diff(seen.indptr)
    order = np.argsort(lengths, kind="stable")
    item_ids = np.full((seen.shape[0], k), MISSING)
    scores = np.full((seen.shape[0], k), -np.inf, dtype=np.float32)
    for start in range(0, len(order), BLOCK):
        rows = order[start : start + BLOCK]
        found = without_seen(ranked(rows, k + int(lengths[rows].max())), seen[rows], k)
        item_ids[rows, : found.item_ids.shape[1]] = found.item_ids
        scores[rows, : found.item_ids.shape[1]] = found.scores
    width = min(k, seen.shape[1])
    return Candidates(item_ids[:, :width], scores[:, :width])


def without_seen(found: Candidates, seen: csr_matrix, k: int) -> Candidates:
    """Drop what each user has seen and keep the first `k`; the order stays."""
    keys = np.repeat(np.arange(seen.shape[0]), np.diff(seen.indptr)) * seen.shape[1] + seen.indices
    wanted = np.arange(len(found))[:, None] * seen.shape[1] + found.item_ids
    dropped = np.isin(wanted, keys) | (found.item_ids == MISSING)
    order = np.argsort(dropped, axis=1, kind="stable")[:, :k]  # kept ones first, in their order
    dropped = np.take_along_axis(dropped, order, axis=1)
    return Candidates(
        np.where(dropped, MISSING, np.take_along_axis(found.item_ids, order, axis=1)),
        np.where(dropped, -np.inf, np.take_along_axis(found.scores, order, axis=1)).astype(
            np.float32
        ),
    )
