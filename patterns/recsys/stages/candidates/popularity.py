"""Popularity: what everybody takes lately. The baseline, and the answer to an empty history.

    score(i) = sum over events e of item i of 2^(-(now - t_e) / half_life)

A plain count is the limit of an endless half-life. It is not personal except that what the user
has seen is left out, and that is enough to be a strong baseline: see the first row of the report.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from common.retrieval import Candidates
from patterns.recsys.entities.requests import Requests
from patterns.recsys.stages.candidates.vectors import unseen

DAY = 86_400.0


class Popularity:
    """Time-decayed counts."""

    name = "popularity"

    def __init__(self, *, half_life_days: float = 30.0) -> None:
        self.half_life_days = half_life_days

    def fit(self, items: np.ndarray, times: np.ndarray, catalogue_size: int) -> Popularity:
        """Count `items` (E,), each discounted by its age at the last of `times` (E,)."""
        age_days = (times.max(initial=0) - times) / DAY
        weights = np.exp2(-age_days / self.half_life_days)
        self.scores_ = np.bincount(items, weights=weights, minlength=catalogue_size)
        return self._with(self.scores_.astype(np.float32))

    def retrieve(self, requests: Requests, k: int) -> Candidates:
        """Return the `k` most popular items that each user has not seen."""

        def ranked(rows: np.ndarray, width: int) -> Candidates:
            items = np.tile(self.order_[:width], (len(rows), 1))
            return Candidates(items, self.scores_[items])

        return unseen(ranked, requests.seen, k)

    def score(self, requests: Requests, item_ids: np.ndarray) -> np.ndarray:
        """Score any items (B, K); padding scores 0."""
        return np.where(item_ids < 0, 0.0, self.scores_[item_ids]).astype(np.float32)

    def save(self, folder: Path) -> None:
        """Write the scores."""
        np.savez(folder / "popularity.npz", scores=self.scores_)

    def load(self, folder: Path) -> Popularity:
        """Read what `save` wrote."""
        with np.load(folder / "popularity.npz") as arrays:
            return self._with(arrays["scores"])

    def _with(self, scores: np.ndarray) -> Popularity:
        self.scores_ = scores
        self.order_ = np.argsort(-scores, kind="stable")  # the same for everybody, so once
        return self
