"""ScaNN in the process: cells, codes that are anisotropic, and an exact re-scoring of the best.

Product quantization picks the code that lies nearest to a vector. For inner products an error along
the vector costs more than one across it, since large products decide the ranking; so ScaNN picks

    argmin over codes c    w(|x|) |r_along|^2 + |r_across|^2        r = x - c,  w > 1

which keeps the top of the ranking at the same bytes. `probes` cells are searched, and `REFINE`
times `k` of the best are re-scored exactly. Few vectors are compared one by one instead.

Source: Guo et al., Accelerating Large-Scale Inference with Anisotropic Vector Quantization, ICML
2020. The extra is `[scann]`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from scann import scann_ops_pybind as scann

from common.vector_store.base import cells_for

REFINE = 4
FEW = 1_000  # below, codes save nothing
THRESHOLD = 0.2  # of the cosine from which on products matter; the paper's choice
PICKLE, NAMES = "scann_docids.pkl", "ids.npz"


class ScannStore:
    """One ScaNN searcher with its ids."""

    def __init__(self, *, probes: int) -> None:
        self.probes = probes

    def build(self, ids: np.ndarray, vectors: np.ndarray) -> None:
        """Learn cells and codes from `vectors` (N, D), by one thread, so that the seed decides."""
        plan = scann.builder(vectors, 10, "dot_product").set_n_training_threads(1)
        if len(vectors) < FEW:
            plan = plan.score_brute_force()
        else:
            plan = plan.tree(
                num_leaves=cells_for(len(vectors)),
                num_leaves_to_search=self.probes,
                training_sample_size=len(vectors),
                random_init=False,  # k-means++ is seeded, the random start is not
            )
            plan = plan.score_ah(2, anisotropic_quantization_threshold=THRESHOLD).reorder(100)
        with _quiet():
            self.searcher_: Any = plan.build(docids=ids.tolist())
        self.width_ = vectors.shape[1]
        self._number()

    def add(self, ids: np.ndarray, vectors: np.ndarray) -> None:
        """Hold more vectors."""
        with self._named():
            self.searcher_.upsert(ids.tolist(), vectors)

    def remove(self, ids: np.ndarray) -> None:
        """Forget vectors."""
        with self._named():
            self.searcher_.delete(ids.tolist())

    def search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return scores and ids (B, K)."""
        rows, scores = self.searcher_.search_batched(
            queries,
            final_num_neighbors=k,
            pre_reorder_num_neighbors=REFINE * k,
            leaves_to_search=self.probes,
        )
        return scores, np.where(np.isnan(scores), -1, self.ids_[rows])  # NaN: fewer were found

    def ids(self) -> np.ndarray:
        """Return the ids held (N,)."""
        return self.ids_

    def width(self) -> int:
        """Return D."""
        return self.width_

    def __len__(self) -> int:
        return len(self.ids_)

    def save(self, path: Path) -> None:
        """Write ScaNN's own files and the ids into the folder `path`."""
        path.mkdir(parents=True, exist_ok=True)
        self.searcher_.serialize(str(path), relative_path=True)
        np.savez(path / NAMES, ids=self.ids_, width=np.array(self.width_))

    def load(self, path: Path) -> None:
        """Read what `save` wrote; a pickle in the folder, which ScaNN would run, is refused."""
        if (path / PICKLE).exists():
            raise ValueError(
                f"{path / PICKLE} is a pickle, which can run code; build the index again"
            )
        with _quiet():
            loaded = scann.load_searcher(str(path))
        with np.load(path / NAMES, allow_pickle=False) as arrays:
            self.searcher_ = scann.ScannSearcher(loaded.searcher, arrays["ids"].tolist())
            self.width_ = int(arrays["width"])
        self._number()

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Lend the searcher its ids, which it needs to change and keeps in step."""
        self.searcher_.docids = self.names_
        try:
            yield
        finally:
            self._number()

    def _number(self) -> None:
        """Take the ids back: without them it answers rows as an array and writes no pickle."""
        self.names_ = self.searcher_.docids
        self.ids_ = np.array(self.names_, dtype=np.int64)
        self.searcher_.docids = None


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the C++ side logs about its training off the error stream; errors still raise."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
