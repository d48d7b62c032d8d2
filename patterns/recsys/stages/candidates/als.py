"""Matrix factorisation on implicit feedback by alternating least squares.

    min over x, y   sum_ui c_ui (p_ui - x_u . y_i)^2 + lambda (sum_u |x_u|^2 + sum_i |y_i|^2)

with p = 1 and c = alpha r_ui where user u had item i r_ui times (`Events.matrix`: 1 without weights
or repeats), and p = 0, c = 1 elsewhere. Each half
step has a closed form per row; the library `implicit` computes it in parallel. A user of a request
need not be known: factors follow from the history by the very half step of training ("fold-in"),

    x_u = (Y'Y + Y_u' (alpha R_u - I) Y_u + lambda I)^-1 alpha sum_{i in history} r_ui y_i.

Source: Hu, Koren & Volinsky, Collaborative Filtering for Implicit Feedback Datasets, ICDM 2008.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from common.atomic import write_json
from common.retrieval import IndexKind
from patterns.recsys.entities.requests import Requests
from patterns.recsys.stages.candidates.source import MatrixSource
from patterns.recsys.stages.candidates.vectors import ItemVectors, VectorSource

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


class ALS(MatrixSource, VectorSource):
    """Implicit-feedback factors with fold-in of any history."""

    name = "als"

    def __init__(
        self,
        *,
        factors: int = 32,
        iterations: int = 15,
        regularization: float = 0.05,
        confidence: float = 2.0,
        index: IndexKind = "flat",
        seed: int = 0,
    ) -> None:
        self.factors = factors
        self.iterations = iterations
        self.regularization = regularization
        self.confidence = confidence
        self.index: IndexKind = index
        self.seed = seed

    def fit_matrix(self, seen: csr_matrix) -> Self:
        """Factorise the user-item matrix `seen` (U, N) , see `Events.matrix`."""
        from implicit.als import AlternatingLeastSquares
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1, "blas"):  # rows run in parallel; nested threads only contend
            model = AlternatingLeastSquares(
                factors=self.factors,
                iterations=self.iterations,
                regularization=self.regularization,
                alpha=self.confidence,
                random_state=self.seed,
                use_gpu=False,
            )
            model.fit(seen, show_progress=False)
        return self._with(ItemVectors(np.asarray(model.item_factors), kind=self.index))

    def user_vectors(self, requests: Requests) -> np.ndarray:
        """Fold in the history of each request: (B, D); an empty history gives zeros."""
        items, seen = self.items_.vectors, requests.seen
        ridge = self.regularization * np.eye(items.shape[1])
        vectors = np.zeros((len(requests), items.shape[1]), dtype=np.float32)
        for row in range(len(requests)):
            own = slice(seen.indptr[row], seen.indptr[row + 1])
            known, worth = (
                items[seen.indices[own]],
                self.confidence * seen.data[own],
            )  # (n, D), (n,)
            if len(known):
                system = self.gram_ + known.T @ ((worth - 1)[:, None] * known) + ridge
                vectors[row] = np.linalg.solve(system, worth @ known)
        return vectors

    def save(self, folder: Path) -> None:
        """Write the item factors and what fold-in needs; user factors follow from histories."""
        self.items_.save(folder)
        settings = {"regularization": self.regularization, "confidence": self.confidence}
        write_json(folder / "als.json", settings)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        settings = json.loads((folder / "als.json").read_text(encoding="utf-8"))
        items = ItemVectors.load(folder)
        return cls(**settings, factors=items.vectors.shape[1], index=items.kind)._with(items)

    def _with(self, items: ItemVectors) -> Self:
        self.items_ = items
        self.gram_ = items.vectors.T @ items.vectors  # (D, D)
        return self
