"""FAISS indexes in the process, one file each: exact, cells, graph, codes, and their mixtures.

    flat    every vector compared: exact, in a time that grows with their number
    ivf     k-means cells, `probes` of them searched
    hnsw    a navigable small-world graph: few comparisons, each a jump in memory, and its edges
    pq      product-quantized codes, all compared: at most 32 bytes a vector, less recall
    ivf-pq  cells and product-quantized residuals: as small, faster than `pq`

Cells are those of k-means by distance and are probed by product. At equal speed this finds far more
of the largest products than FAISS's default of directions alone, where norms have a long tail. The
graph cannot be removed from, since its edges run through every vector. FAISS's fast scan of 4-bit
codes with re-scoring was no faster than `ivf` at equal recall of 100,000 items, and is left out.

Sources: Douze et al., The Faiss library, 2024; Jégou et al., Product Quantization, TPAMI 2011;
Malkov & Yashunin, HNSW, TPAMI 2020.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from common.vector_store.base import BUILD_WIDTH, EDGES, IndexKind, cells_for, unsupported


class FaissStore:
    """One FAISS index with ids of its own."""

    def __init__(self, kind: IndexKind, *, probes: int, search_width: int) -> None:
        self.kind = kind
        self.probes = probes
        self.search_width = search_width

    def build(self, ids: np.ndarray, vectors: np.ndarray) -> None:
        """Learn cells and codes from `vectors` (N, D) and hold them."""
        count, width = vectors.shape
        self.index_: Any = faiss.index_factory(
            width, recipe(self.kind, count, width), faiss.METRIC_INNER_PRODUCT
        )
        self._find_parts()
        for clustering in self._clusterings():
            clustering.min_points_per_centroid = 1  # few points are no news worth a warning
            clustering.spherical = False
        if self.kind == "hnsw":
            self.core_.hnsw.efConstruction = BUILD_WIDTH
        with _in_order(self.kind), self._cells_by_distance():
            self.index_.train(vectors)
            self.index_.add_with_ids(vectors, ids)

    def add(self, ids: np.ndarray, vectors: np.ndarray) -> None:
        """Hold more vectors."""
        with _in_order(self.kind), self._cells_by_distance():
            self.index_.add_with_ids(vectors, ids)

    def remove(self, ids: np.ndarray) -> None:
        """Forget vectors, by a pass over all; a graph cannot."""
        if self.kind == "hnsw":
            unsupported(self.kind, "remove", "use flat, ivf, pq or ivf-pq, or build it again")
        self.index_.remove_ids(ids)

    def search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return scores and ids (B, K)."""
        found: tuple[np.ndarray, np.ndarray] = self.index_.search(queries, k)
        return found

    def ids(self) -> np.ndarray:
        """Return the ids held (N,)."""
        if hasattr(self.index_, "id_map"):
            return faiss.vector_to_array(self.index_.id_map)
        lists = self.index_.invlists
        cells = ((lists.get_ids(cell), lists.list_size(cell)) for cell in range(lists.nlist))
        parts = [faiss.rev_swig_ptr(start, size) for start, size in cells if size]
        return np.concatenate(parts) if parts else np.empty(0, np.int64)

    def width(self) -> int:
        """Return D."""
        return int(self.index_.d)

    def __len__(self) -> int:
        return int(self.index_.ntotal)

    def save(self, path: Path) -> None:
        """Write FAISS's own file, ids included."""
        faiss.write_index(self.index_, str(path))

    def load(self, path: Path) -> None:
        """Read what `save` wrote."""
        self.index_ = faiss.read_index(str(path))
        self._find_parts()

    def _find_parts(self) -> None:
        """Find the layer that searches under the one that maps ids, and set its effort.

        `write_index` keeps what was learned but not the effort of a search.
        """
        layer = self.index_
        if hasattr(layer, "id_map"):
            layer = faiss.downcast_index(layer.index)
        self.core_: Any = layer
        if hasattr(layer, "nprobe"):
            layer.nprobe = self.probes
        elif hasattr(layer, "hnsw"):
            layer.hnsw.efSearch = self.search_width

    @contextmanager
    def _cells_by_distance(self) -> Iterator[None]:
        """Let vectors join the cell whose center is nearest; queries go on to probe by product.

        FAISS would put a vector where its product with a center of unit length is largest, whatever
        its own length, and so mix long vectors, which queries want, with short ones.
        """
        if not hasattr(self.core_, "nprobe"):
            yield
            return
        by_product, by_distance = self.core_.quantizer, faiss.IndexFlatL2(self.core_.d)
        by_distance.add(by_product.reconstruct_n(0, by_product.ntotal))
        self.core_.quantizer = by_distance
        try:
            yield
        finally:
            self.core_.quantizer = by_product
            if not by_product.ntotal:  # the centers were learned just now
                by_product.add(by_distance.reconstruct_n(0, by_distance.ntotal))

    def _clusterings(self) -> list[Any]:
        """Return the settings of each k-means that the index trains."""
        quantizer = getattr(self.core_, "pq", None)
        owners = [self.core_ if hasattr(self.core_, "nprobe") else None, quantizer]
        return [owner.cp for owner in owners if owner is not None]


def recipe(kind: IndexKind, count: int, width: int) -> str:
    """Name the index for `count` vectors of `width` dimensions in FAISS's own language."""
    cells = cells_for(count)
    pieces = max(piece for piece in (1, 2, 4, 8, 16, 32) if width % piece == 0)
    # np: no polysemous training, which takes a minute and serves Hamming search only
    bits = int(np.clip(np.log2(max(count, 1)), 1, 8))  # a codebook of at most `count` entries
    return {
        "flat": "IDMap,Flat",
        "ivf": f"IVF{cells},Flat",
        "hnsw": f"IDMap,HNSW{EDGES},Flat",
        "pq": f"IDMap,PQ{pieces}x{bits}np",
        "ivf-pq": f"IVF{cells},PQ{pieces}x{bits}np",
    }[kind]


@contextmanager
def _in_order(kind: IndexKind) -> Iterator[None]:
    """Insert into a graph by one thread: by several, its edges depend on who came first."""
    threads = faiss.omp_get_max_threads()
    if kind == "hnsw":
        faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(threads)
