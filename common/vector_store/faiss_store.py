"""FAISS indexes in the process, one file each: exact, cells, graph, codes, and their mixtures.

    flat        every vector compared: exact, and fastest up to some 100,000 items
    ivf         k-means cells, `probes` of them searched
    hnsw        a navigable small-world graph: fast and accurate, memory for its edges
    pq          product-quantized codes, all compared: an eighth of the memory, less recall
    ivf-pq      cells and product-quantized residuals: an eighth of the memory, faster than `pq`
    ivf-pq-fs   the same with 4-bit codes scored in registers, the best re-scored exactly; this is
                ScaNN's plan without its anisotropic loss

What cannot be removed from: the graph, whose edges run through every vector, and 4-bit codes, which
lie interleaved. Sources: Douze et al., The Faiss library, 2024; Jégou et al., Product Quantization,
TPAMI 2011; Malkov & Yashunin, HNSW, TPAMI 2020; André et al., Quicker ADC, TPAMI 2021.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from common.vector_store import IndexKind, cells_for, unsupported

REFINE = 4  # candidates re-scored exactly for each one wanted


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
        with _in_order(self.kind):
            self.index_.train(vectors)
            self.index_.add_with_ids(vectors, ids)

    def add(self, ids: np.ndarray, vectors: np.ndarray) -> None:
        """Hold more vectors."""
        with _in_order(self.kind):
            self.index_.add_with_ids(vectors, ids)

    def remove(self, ids: np.ndarray) -> None:
        """Forget vectors, by a pass over all; a graph and 4-bit codes cannot."""
        if self.kind in ("hnsw", "ivf-pq-fs"):
            unsupported(self.kind, "remove", "use flat, ivf, pq or ivf-pq, or build it anew")
        self.index_.remove_ids(ids)

    def search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Give scores and ids (B, K)."""
        found: tuple[np.ndarray, np.ndarray] = self.index_.search(queries, k)
        return found

    def ids(self) -> np.ndarray:
        """Give the ids held (N,)."""
        if hasattr(self.index_, "id_map"):
            return faiss.vector_to_array(self.index_.id_map)
        lists = self.index_.invlists
        cells = ((lists.get_ids(cell), lists.list_size(cell)) for cell in range(lists.nlist))
        parts = [faiss.rev_swig_ptr(start, size) for start, size in cells if size]
        return np.concatenate(parts) if parts else np.empty(0, np.int64)

    def width(self) -> int:
        """Give D."""
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
        """Find the layer that searches under those that map ids and re-score, and set its effort.

        `write_index` keeps what was learned but not the effort of a search.
        """
        layer = self.index_
        if hasattr(layer, "id_map"):
            layer = faiss.downcast_index(layer.index)
        if hasattr(layer, "base_index"):
            layer.k_factor = REFINE
            layer = faiss.downcast_index(layer.base_index)
        self.core_: Any = layer
        if hasattr(layer, "nprobe"):
            # never above the cells there are: fast scan answers nonsense then
            layer.nprobe = min(self.probes, layer.nlist)
        elif hasattr(layer, "hnsw"):
            layer.hnsw.efSearch = self.search_width

    def _clusterings(self) -> list[Any]:
        """Give the settings of each k-means that the index trains."""
        quantizer = getattr(self.core_, "pq", None)
        owners = [self.core_ if hasattr(self.core_, "nprobe") else None, quantizer]
        return [owner.cp for owner in owners if owner is not None]


def recipe(kind: IndexKind, count: int, width: int) -> str:
    """Name the index for `count` vectors of `width` dimensions in FAISS's own language."""
    cells = cells_for(count)
    pieces = max(piece for piece in (1, 2, 4, 8, 16, 32) if width % piece == 0)
    # np: no polysemous training, which takes a minute and serves Hamming search only
    bits = int(np.clip(np.log2(max(count, 1)), 1, 8))  # a codebook of at most `count` entries
    pairs = width // 2 if width % 2 == 0 else width
    return {
        "flat": "IDMap,Flat",
        "ivf": f"IVF{cells},Flat",
        "hnsw": "IDMap,HNSW32,Flat",
        "pq": f"IDMap,PQ{pieces}x{bits}np",
        "ivf-pq": f"IVF{cells},PQ{pieces}x{bits}np",
        "ivf-pq-fs": f"IDMap,IVF{cells},PQ{pairs}x4fsr,RFlat",
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
