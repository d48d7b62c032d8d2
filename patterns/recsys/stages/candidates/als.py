"""Matrix factorisation on implicit feedback by alternating least squares.

    min over x, y   sum_ui c_ui (p_ui - x_u . y_i)^2 + lambda (sum_u |x_u|^2 + sum_i |y_i|^2)

with p = 1 and c = alpha where user u took item i, and p = 0, c = 1 elsewhere. Each half step has a
closed form per row; the library `implicit` computes it in parallel. A user of a request need not
be known: the factors follow from the history by the very half step of training ("fold-in"),

    x_u = (Y'Y + (alpha - 1) Y_u'Y_u + lambda I)^-1 alpha sum_{i in history} y_i.

Source: Hu, Koren & Volinsky, Collaborative Filtering for Implicit Feedback Datasets, ICDM 2008.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from common.atomic import write_json
from common.retrieval import Candidates, IndexKind
from patterns.recsys.entities.requests import Requests
from patterns.recsys.stages.candidates.vectors import ItemVectors

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


class ALS:
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

    def fit(self, seen: csr_matrix) -> ALS:
        """Factorise the user-item matrix `seen` (U, N) of 0 and 1."""
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
            taken = items[seen.indices[seen.indptr[row] : seen.indptr[row + 1]]]  # (n, D)
            if len(taken):
                system = self.gram_ + (self.confidence - 1) * (taken.T @ taken) + ridge
                vectors[row] = np.linalg.solve(system, self.confidence * taken.sum(axis=0))
        return vectors

    def retrieve(self, requests: Requests, k: int) -> Candidates:
        """Return the `k` unseen items of largest predicted preference; none without a history."""
        found = self.items_.retrieve(self.user_vectors(requests), requests.seen, k)
        return found.where(np.diff(requests.seen.indptr) > 0)

    def score(self, requests: Requests, item_ids: np.ndarray) -> np.ndarray:
        """Score any items (B, K); padding scores 0."""
        return self.items_.score(self.user_vectors(requests), item_ids)

    def save(self, folder: Path) -> None:
        """Write the item factors and what fold-in needs; user factors follow from histories."""
        self.items_.save(folder / "als.npz")
        settings = {"regularization": self.regularization, "confidence": self.confidence}
        write_json(folder / "als.json", settings)

    def load(self, folder: Path) -> ALS:
        """Read what `save` wrote."""
        settings = json.loads((folder / "als.json").read_text(encoding="utf-8"))
        self.regularization = settings["regularization"]
        self.confidence = settings["confidence"]
        return self._with(ItemVectors.load(folder / "als.npz"))

    def _with(self, items: ItemVectors) -> ALS:
        self.items_ = items
        self.gram_ = items.vectors.T @ items.vectors  # (D, D)
        return self
