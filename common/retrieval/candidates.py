"""Ranked items of requests, and how a list is made of scores.

Shapes: `B` requests, `N` catalogue items, `K` candidates. Items are row numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

MISSING = -1  # in place of an item: the end of a short list, a user or item nobody knows


@dataclass(frozen=True)
class Candidates:
    """Ranked items of `B` requests, best first; short lists end in id -1 with score -inf."""

    item_ids: np.ndarray  # (B, K) int64
    scores: np.ndarray  # (B, K) float32

    def __post_init__(self) -> None:
        assert self.item_ids.shape == self.scores.shape and self.item_ids.ndim == 2

    @classmethod
    def concatenate(cls, parts: Sequence[Candidates], *, width: int = 0) -> Self:
        """Stack the lists of blocks of requests; without any there are no lists of `width`."""
        if not parts:
            return cls(np.empty((0, width), np.int64), np.empty((0, width), np.float32))
        return cls(
            np.concatenate([part.item_ids for part in parts]),
            np.concatenate([part.scores for part in parts]),
        )

    def __len__(self) -> int:
        return len(self.item_ids)

    def head(self, k: int) -> Candidates:
        """Return the first `k` of each list; fewer where the lists are shorter."""
        return Candidates(self.item_ids[:, :k], self.scores[:, :k])

    def where(self, kept: np.ndarray) -> Candidates:
        """Keep some items (B, K), or all of some requests (B,); the rest becomes padding."""
        kept = kept if kept.ndim == 2 else kept[:, None]
        return Candidates(
            np.where(kept, self.item_ids, MISSING),
            np.where(kept, self.scores, -np.inf).astype(np.float32),
        )


def top_k(scores: np.ndarray, k: int, *, exclude: csr_matrix | None = None) -> Candidates:
    """Rank the `k` best of dense `scores` (B, N); ties go to the lower id.

    `exclude` (B, N) marks items that must not appear. Items scored -inf never appear.
    """
    scores = np.array(scores, dtype=np.float32)  # a copy: exclusion writes into it
    assert k >= 0 and not np.isnan(scores).any()
    if exclude is not None:
        rows = np.repeat(np.arange(exclude.shape[0]), np.diff(exclude.indptr))
        scores[rows, exclude.indices] = -np.inf
    k = min(k, scores.shape[1])
    if k == 0 or not len(scores):
        item_ids = np.empty((len(scores), k), dtype=np.int64)
    elif k < scores.shape[1]:
        kth = -np.partition(-scores, k - 1, axis=1)[:, k - 1 : k]  # (B, 1)
        pairs = zip(scores, kth, strict=True)
        item_ids = np.stack([_best_of(row, bound, k) for row, bound in pairs])
    else:
        item_ids = np.argsort(-scores, axis=1, kind="stable")
    return _blanked(item_ids, np.take_along_axis(scores, item_ids, axis=1))


def _best_of(row: np.ndarray, bound: np.ndarray, k: int) -> np.ndarray:
    """Order the items of one row that reach the k-th score; among equals the lower id wins."""
    reached = np.flatnonzero(row >= bound)  # ascending ids, hence the stable sort breaks ties
    return reached[np.argsort(-row[reached], kind="stable")[:k]]


def _blanked(item_ids: np.ndarray, scores: np.ndarray) -> Candidates:
    return Candidates(
        np.where(np.isneginf(scores), MISSING, item_ids).astype(np.int64),
        scores.astype(np.float32),
    )


def ordered(item_ids: np.ndarray, scores: np.ndarray) -> Candidates:
    """Order items (B, K) by falling score; padding goes last, equal scores keep their order."""
    scores = np.where(item_ids == MISSING, -np.inf, scores)
    order = np.argsort(-scores, axis=1, kind="stable")
    return Candidates(
        np.take_along_axis(item_ids, order, axis=1),
        np.take_along_axis(scores, order, axis=1).astype(np.float32),
    )
