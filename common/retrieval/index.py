"""Maximum inner product search: one class over the engines of `common.vector_store`.

Shapes: `B` queries, `N` items, `K` candidates, `D` dimensions.
"""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np

from common.retrieval.candidates import Candidates
from common.vector_store import KINDS, LEAST, IndexKind, VectorStore, make_store


class VectorIndex:
    """Maximum inner product search over item vectors, exact or approximate.

    flat    every vector compared: exact, in a time that grows with their number
    ivf     k-means cells, `probes` of them searched
    hnsw    a navigable small-world graph, `search_width` paths followed: few comparisons
    pq      product-quantized codes: at most 32 bytes a vector, less recall
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
        probes: int = 64,
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
                f"kind: {self.kind!r} needs {least} or more vectors, not {len(vectors)}; use flat"
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
                    f"vectors: have {vectors.shape[1]} dimensions, the index has {self.width_};"
                    " encode them with the same model, or build it again"
                )
            there = ids[np.isin(ids, store.ids())]
            if len(there):
                raise ValueError(f"ids: {there[0]} is already in the index; remove it first")
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
                raise ValueError(
                    f"ids: {missing[0]} is not in the index; remove only ids that were added"
                )
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
            raise ValueError("the index is not built yet; call build or load first")
        return self.store_


def _checked_ids(ids: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Return `ids` (N,) as int64 if they fit `vectors` (N, D), which must be finite."""
    ids = np.asarray(ids)
    if vectors.ndim != 2 or ids.shape != vectors.shape[:1]:
        raise ValueError(
            f"ids: shape {ids.shape} for vectors {vectors.shape}; give (N,) and (N, D)"
        )
    if ids.dtype.kind not in "iu" and len(ids):
        raise ValueError(f"ids: are {ids.dtype}; give whole numbers, one per vector")
    if len(ids) and ids.min() < 0:
        raise ValueError(f"ids: {ids.min()} is below 0, which means padding; number from 0")
    if len(np.unique(ids)) < len(ids):
        raise ValueError("ids: contain a duplicate; give each vector its own id")
    if not np.isfinite(vectors).all():
        row = int(np.argmin(np.isfinite(vectors).all(axis=1)))
        raise ValueError(f"vectors: that of id {ids[row]} is not finite; leave it out")
    return ids.astype(np.int64)
