"""Lists of candidates and what is done with them: top-k, vector search, fusion, diversity.

Retrieval is the first box of search and of recommendation alike: from a whole catalogue to a few
hundred candidates, cheaply. Every source gives the same `Candidates`, so sources can be merged,
compared and re-ranked without knowing each other.

Legend: `B` requests, `N` catalogue items, `K` candidates, `D` dimensions. Items are row numbers.

Sources: FAISS (Douze et al. 2024); reciprocal rank fusion (Cormack et al., SIGIR 2009); maximal
marginal relevance (Carbonell & Goldstein, SIGIR 1998), here greedy over inner products.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

IndexKind = Literal["flat", "ivf", "hnsw", "ivf-pq"]
NOTHING = -1


@dataclass(frozen=True)
class Candidates:
    """Ranked items of `B` requests, best first; short lists end in id -1 with score -inf."""

    item_ids: np.ndarray  # (B, K) int64
    scores: np.ndarray  # (B, K) float32

    def __post_init__(self) -> None:
        assert self.item_ids.shape == self.scores.shape and self.item_ids.ndim == 2

    def __len__(self) -> int:
        return len(self.item_ids)

    def head(self, k: int) -> Candidates:
        """Give the first `k` of each list; fewer where the lists are shorter."""
        return Candidates(self.item_ids[:, :k], self.scores[:, :k])

    def where(self, kept: np.ndarray) -> Candidates:
        """Keep some items (B, K), or all of some requests (B,); the rest becomes padding."""
        kept = kept.reshape(len(self), -1)
        return Candidates(
            np.where(kept, self.item_ids, NOTHING),
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
        np.where(np.isneginf(scores), NOTHING, item_ids).astype(np.int64),
        scores.astype(np.float32),
    )


def ordered(item_ids: np.ndarray, scores: np.ndarray) -> Candidates:
    """Order items (B, K) by falling score; padding goes last, equal scores keep their order."""
    scores = np.where(item_ids == NOTHING, -np.inf, scores)
    order = np.argsort(-scores, axis=1, kind="stable")
    return Candidates(
        np.take_along_axis(item_ids, order, axis=1),
        np.take_along_axis(scores, order, axis=1).astype(np.float32),
    )


class VectorIndex:
    """Maximum inner product search over item vectors, exact or approximate, by FAISS.

    flat    every vector compared: exact, and fastest up to some 100,000 items
    ivf     k-means cells, `probes` of them searched
    hnsw    a navigable small-world graph: fast and accurate, memory for its edges
    ivf-pq  cells and product-quantized residuals: a sixteenth of the memory, less recall
    """

    def __init__(
        self, kind: IndexKind = "flat", *, probes: int = 16, search_width: int = 64
    ) -> None:
        if kind not in ("flat", "ivf", "hnsw", "ivf-pq"):
            raise ValueError(f"kind: {kind!r} is not known; use flat, ivf, hnsw or ivf-pq")
        self.kind = kind
        self.probes = probes
        self.search_width = search_width
        self.index_: Any = None

    def build(self, vectors: np.ndarray) -> VectorIndex:
        """Index `vectors` (N, D); row numbers are the item ids."""
        import faiss

        vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        count, width = vectors.shape
        least = {"ivf": 1, "ivf-pq": 2}.get(self.kind, 0)
        if count < least:
            raise ValueError(
                f"kind: {self.kind!r} learns from {least} or more vectors, not {count}; use flat"
            )
        cells = int(np.clip(4 * np.sqrt(count), 1, max(1, count // 39)))
        pieces = max(piece for piece in (1, 2, 4, 8, 16, 32) if width % piece == 0)
        # np: no polysemous training, which takes a minute and serves Hamming search only
        bits = int(np.clip(np.log2(max(count, 1)), 1, 8))  # a codebook of at most `count` entries
        recipe = {
            "flat": "Flat",
            "ivf": f"IVF{cells},Flat",
            "hnsw": "HNSW32,Flat",
            "ivf-pq": f"IVF{cells},PQ{pieces}x{bits}np",
        }[self.kind]
        self.index_ = faiss.index_factory(width, recipe, faiss.METRIC_INNER_PRODUCT)
        for clustering in self._clusterings():
            clustering.min_points_per_centroid = 1  # few points are no news worth a warning
        self.index_.train(vectors)
        self.index_.add(vectors)
        self._tune()
        return self

    def search(self, queries: np.ndarray, k: int) -> Candidates:
        """Give the `k` items of largest inner product for each of `queries` (B, D)."""
        k = min(k, self.index_.ntotal)
        if k == 0:
            empty = np.empty((len(queries), 0))
            return Candidates(empty.astype(np.int64), empty.astype(np.float32))
        scores, item_ids = self.index_.search(np.ascontiguousarray(queries, np.float32), k)
        return _blanked(item_ids, np.where(item_ids < 0, -np.inf, scores))

    def save(self, path: Path) -> None:
        """Write the index in FAISS's own format."""
        import faiss

        faiss.write_index(self.index_, str(path))

    def load(self, path: Path) -> VectorIndex:
        """Read what `save` wrote."""
        import faiss

        self.index_ = faiss.read_index(str(path))
        self._tune()
        return self

    def _clusterings(self) -> list[Any]:
        """Give the settings of each k-means that the index trains."""
        parts = [self.index_] if self.kind.startswith("ivf") else []
        return [part.cp for part in [*parts, *(part.pq for part in parts if hasattr(part, "pq"))]]

    def _tune(self) -> None:
        if self.kind.startswith("ivf"):
            self.index_.nprobe = self.probes
        elif self.kind == "hnsw":
            self.index_.hnsw.efSearch = self.search_width


def reciprocal_rank_fusion(
    lists: Sequence[Candidates],
    *,
    k: int,
    constant: float = 60.0,
    weights: Sequence[float] | None = None,
) -> Candidates:
    """Merge ranked lists by rank alone: `score(d) = sum_l w_l / (constant + rank_l(d))`.

    Ranks start at 1; an item absent from a list gains nothing there; ties go to the lower id.
    """
    assert len(lists) > 0
    weights = [1.0] * len(lists) if weights is None else list(weights)
    item_ids = np.concatenate([each.item_ids for each in lists], axis=1)  # (B, sum K)
    gains = np.concatenate(
        [
            np.broadcast_to(
                weight / (constant + 1 + np.arange(each.item_ids.shape[1])), each.item_ids.shape
            )
            for each, weight in zip(lists, weights, strict=True)
        ],
        axis=1,
    )
    merged = sum_by_item(item_ids, gains)
    order = np.argsort(-merged.scores, axis=1, kind="stable")[:, :k]
    return Candidates(
        np.take_along_axis(merged.item_ids, order, axis=1),
        np.take_along_axis(merged.scores, order, axis=1),
    )


def sum_by_item(item_ids: np.ndarray, gains: np.ndarray) -> Candidates:
    """Add up `gains` (B, M) of equal ids in a row; ids ascend, what is freed becomes padding."""
    order = np.argsort(item_ids, axis=1, kind="stable")
    item_ids = np.take_along_axis(item_ids, order, axis=1)
    gains = np.take_along_axis(gains, order, axis=1)
    first = np.ones_like(item_ids, dtype=bool)
    first[:, 1:] = item_ids[:, 1:] != item_ids[:, :-1]
    group = np.cumsum(first.ravel()) - 1
    total = np.bincount(group, weights=gains.ravel())[group].reshape(item_ids.shape)
    kept = first & (item_ids != NOTHING)
    return Candidates(
        np.where(kept, item_ids, NOTHING), np.where(kept, total, -np.inf).astype(np.float32)
    )


def mmr(relevance: np.ndarray, vectors: np.ndarray, *, k: int, trade_off: float) -> np.ndarray:
    """Order candidates by relevance less likeness to what was already chosen; returns positions.

    Each step takes `argmax_i trade_off * relevance_i - (1 - trade_off) * max_j sim(i, j)` over the
    chosen `j`. `relevance` (K,) should lie in [0, 1] and `vectors` (K, D) be unit length, so that
    both terms share a scale. `trade_off` 1 is plain ranking. Ties go to the earlier candidate.
    """
    count = len(relevance)
    likeness = vectors @ vectors.T  # (K, K)
    chosen = np.empty(min(k, count), dtype=np.int64)
    nearest = np.zeros(count)
    open_ = np.ones(count, dtype=bool)
    for step in range(len(chosen)):
        value = trade_off * relevance - (1 - trade_off) * nearest
        best = int(np.argmax(np.where(open_, value, -np.inf)))
        chosen[step] = best
        open_[best] = False
        nearest = likeness[best] if step == 0 else np.maximum(nearest, likeness[best])
    return chosen
