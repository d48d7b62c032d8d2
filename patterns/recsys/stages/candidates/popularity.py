"""Popularity: what everybody interacts with lately. The baseline, and the answer to no history.

    score(i) = sum over events e of item i of log2(1 + w_e) 2^(-(now - t_e) / half_life)

with w_e the weight of the event (plays, quantity), 1 where none is known. A plain count is the
limit of an endless half-life. It is not personal except that what the user has seen is left out,
and that is enough to be a strong baseline: see the first row of the report.

Shapes: `B` requests, `N` items, `K` candidates, `E` events.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from common.retrieval import Candidates
from common.units import DAY
from patterns.recsys.entities.catalogue import Catalogue
from patterns.recsys.entities.events import Events
from patterns.recsys.entities.requests import Requests
from patterns.recsys.stages.candidates.source import Source
from patterns.recsys.stages.candidates.vectors import unseen

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


class Popularity(Source):
    """Time-decayed counts."""

    name = "popularity"

    def __init__(self, *, half_life_days: float = 30.0) -> None:
        self.half_life_days = half_life_days

    def fit(
        self,
        events: Events,
        catalogue: Catalogue,
        *,
        checkpoint: Path | None = None,
        resume: bool = False,
    ) -> Self:
        """Count the items of `events`, each event discounted by its age at the last of them."""
        weights = decayed(events.times, self.half_life_days) * np.log2(1.0 + events.weights)
        size = len(catalogue.item_ids)
        return self._with(np.bincount(events.items, weights=weights, minlength=size))

    def fit_matrix(self, seen: csr_matrix) -> Self:
        """Count the users of each item of `seen` (U, N); without times nothing is discounted."""
        return self._with(np.bincount(seen.indices, minlength=seen.shape[1]))

    def retrieve(self, requests: Requests, k: int) -> Candidates:
        """Return the `k` most popular items that each user has not seen."""

        def ranked(rows: np.ndarray, width: int) -> Candidates:
            items = np.tile(self.order_[:width], (len(rows), 1))
            return Candidates(items, self.scores_[items])

        return unseen(ranked, requests.barred, k)

    def score(self, requests: Requests, item_ids: np.ndarray) -> np.ndarray:
        """Score any items (B, K); padding scores 0."""
        return np.where(item_ids < 0, 0.0, self.scores_[item_ids]).astype(np.float32)

    def save(self, folder: Path) -> None:
        """Write the scores."""
        half_life = np.array(self.half_life_days)
        np.savez(folder / "popularity.npz", scores=self.scores_, half_life=half_life)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        with np.load(folder / "popularity.npz") as arrays:
            return cls(half_life_days=float(arrays["half_life"]))._with(arrays["scores"])

    def _with(self, scores: np.ndarray) -> Self:
        self.scores_ = scores.astype(np.float32)
        self.order_ = np.argsort(-self.scores_, kind="stable")  # the same for everybody, so once
        return self


def decayed(times: np.ndarray, half_life_days: float) -> np.ndarray:
    """Return 2^(-age / half-life) of `times` (E,), the age counted from the last of them."""
    return np.exp2(-(times.max(initial=0) - times) / DAY / half_life_days)
