"""Lists of candidates and what is done with them: top-k, vector search, fusion, diversity.

Retrieval is the first box of search and of recommendation alike: from a whole catalogue to a few
hundred candidates, cheaply. Every source gives the same `Candidates`, so sources can be merged,
compared and re-ranked without knowing each other.

Shapes: `B` requests, `N` catalogue items, `K` candidates, `D` dimensions. Items are row numbers.

Sources: reciprocal rank fusion (Cormack et al., SIGIR 2009); maximal marginal relevance (Carbonell
& Goldstein, SIGIR 1998), here greedy over inner products. `common.vector_store` names those of the
engines of vector search.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from common.vector_store import KINDS, LEAST, IndexKind, VectorStore, make_store

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

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
        """Return the first `k` of each list; fewer where the lists are shorter."""
        return Candidates(self.item_ids[:, :k], self.scores[:, :k])

    def where(self, kept: np.ndarray) -> Candidates:
        """Keep some items (B, K), or all of some requests (B,); the rest becomes padding."""
        kept = kept if kept.ndim == 2 else kept[:, None]
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
    """Maximum inner product search over item vectors, exact or approximate.

    flat    every vector compared: exact, and fastest up to some 100,000 items
    ivf     k-means cells, `probes` of them searched
    hnsw    a navigable small-world graph, `search_width` paths followed: fast and accurate
    pq      product-quantized codes: an eighth of the memory, less recall
    ivf-pq  cells and product-quantized residuals: as small, faster
    milvus  a vector database, embedded or at `uri` (extra `[milvus]`); `search_width` as above
    scann   cells and anisotropic codes, the best re-scored exactly (extra `[scann]`); `probes`

    Vectors may come and go between two builds: `add` and `remove` keep the cells and codes as they
    were learned, so what drifts away from them is found less well until the nightly build. Nothing
    can be removed from hnsw. Searches and changes take turns: one at a time.
    """

    def __init__(
        self,
        kind: IndexKind = "flat",
        *,
        probes: int = 16,
        search_width: int = 64,
        uri: str | None = None,
    ) -> None:
        if kind not in KINDS:
            known = f"{', '.join(KINDS[:-1])} or {KINDS[-1]}"
            raise ValueError(f"kind: {kind!r} is not known; use {known}")
        if uri is not None and kind != "milvus":
            raise ValueError(f"uri: {uri!r} is for kind 'milvus', not {kind!r}; leave it out")
        self.kind: IndexKind = kind
        self.probes = probes
        self.search_width = search_width
        self.uri = uri
        self.store_: VectorStore | None = None
        self._turn = threading.Lock()

    def build(self, vectors: np.ndarray, ids: np.ndarray | None = None) -> VectorIndex:
        """Index `vectors` (N, D) under `ids` (N,), whole numbers from 0; row numbers without."""
        vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        ids = _checked_ids(np.arange(len(vectors)) if ids is None else ids, vectors)
        least = LEAST.get(self.kind, 0)
        if len(vectors) < least:
            raise ValueError(
                f"kind: {self.kind!r} learns from {least} or more vectors, not {len(vectors)};"
                " use flat"
            )
        made = self._new_store()
        made.build(ids, vectors)
        self._take(made, vectors.shape[1])
        return self

    def add(self, ids: np.ndarray, vectors: np.ndarray) -> VectorIndex:
        """Index more `vectors` (M, D); an id that is there must be removed first."""
        vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        ids = _checked_ids(ids, vectors)
        with self._turn:
            store = self._built()
            if vectors.shape[1] != self.width_:
                raise ValueError(
                    f"vectors: have {vectors.shape[1]} dimensions, the index {self.width_};"
                    " encode them by the same model, or build anew"
                )
            there = ids[np.isin(ids, store.ids())]
            if len(there):
                raise ValueError(f"ids: {there[0]} is there already; remove it first")
            if len(ids):
                store.add(ids, vectors)
        return self

    def remove(self, ids: np.ndarray) -> VectorIndex:
        """Forget the vectors of `ids` (M,); an id that is not there raises."""
        ids = np.unique(np.asarray(ids, dtype=np.int64))
        with self._turn:
            store = self._built()
            missing = ids[~np.isin(ids, store.ids())]
            if len(missing):
                raise ValueError(f"ids: {missing[0]} is not there; remove what was added")
            if len(ids):
                store.remove(ids)
        return self

    def search(self, queries: np.ndarray, k: int) -> Candidates:
        """Return the `k` items of largest inner product for each of `queries` (B, D).

        There are fewer columns where the catalogue is smaller, and padding where an approximate
        search found fewer.
        """
        queries = np.ascontiguousarray(queries, dtype=np.float32)
        with self._turn:
            store = self._built()
            k = min(k, len(store))
            if k == 0 or not len(queries):
                empty = np.empty((len(queries), k))
                return Candidates(empty.astype(np.int64), empty.astype(np.float32))
            scores, item_ids = store.search(queries, k)
        missing = item_ids < 0
        if missing.any():
            scores = np.where(missing, np.float32(-np.inf), scores)
        return Candidates(item_ids, scores)

    def __len__(self) -> int:
        return len(self._built())

    def save(self, path: Path) -> None:
        """Write the engine's own format: a file, or a folder for milvus and scann."""
        with self._turn:
            self._built().save(path)

    def load(self, path: Path) -> VectorIndex:
        """Read what `save` of the same kind wrote."""
        made = self._new_store()
        made.load(path)
        self._take(made, made.width())
        return self

    def _new_store(self) -> VectorStore:
        return make_store(
            self.kind, probes=self.probes, search_width=self.search_width, uri=self.uri
        )

    def _take(self, made: VectorStore, width: int) -> None:
        """Search `made` from now on; until here the one before it has answered."""
        with self._turn:
            self.store_, self.width_ = made, width

    def _built(self) -> VectorStore:
        if self.store_ is None:
            raise ValueError("the index is not there yet; call build or load first")
        return self.store_


def _checked_ids(ids: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Return `ids` (N,) as int64 if they fit `vectors` (N, D), which must be finite."""
    ids = np.asarray(ids)
    if vectors.ndim != 2 or ids.shape != vectors.shape[:1]:
        raise ValueError(
            f"ids: shape {ids.shape} for vectors {vectors.shape}; give (N,) and (N, D)"
        )
    if ids.dtype.kind not in "iu" and len(ids):
        raise ValueError(f"ids: are {ids.dtype}; give whole numbers, one a vector")
    if len(ids) and ids.min() < 0:
        raise ValueError(f"ids: {ids.min()} is below 0, which is padding; number from 0")
    if len(np.unique(ids)) < len(ids):
        raise ValueError("ids: hold one twice; give each vector an id of its own")
    if not np.isfinite(vectors).all():
        row = int(np.argmin(np.isfinite(vectors).all(axis=1)))
        raise ValueError(f"vectors: that of id {ids[row]} is not finite; leave it out")
    return ids.astype(np.int64)


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
