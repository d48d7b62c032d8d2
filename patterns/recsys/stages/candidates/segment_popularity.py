"""Popularity among similar people: what a user without a history gets when age or gender is known.

Within a segment the share of an item is pulled towards its share overall, the more the less the
segment has seen (empirical Bayes, a Dirichlet prior of `m` events spread as overall):

    p(i | s) = n/(n + m) * w_si / n  +  m/(n + m) * p(i)        n = sum_i w_si, decayed by age

Several attributes (age, gender, occupation) add their evidence as in naive Bayes,

    score(i | u) = W p(i) * prod_a (p(i | s_a(u)) / p(i)),

so an unknown attribute, code 0, changes nothing and a wholly unknown user gets the global list. `m`
is chosen per attribute by the likelihood of each event given all others of its segment.

Sources: Efron & Morris 1973 (shrinkage); Gelman et al., Bayesian Data Analysis, ch. 3.4.

Shapes: `B` requests, `N` items, `K` candidates, `E` events, `S` attributes, `C` codes of one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Self

import numpy as np

from common.retrieval import Candidates
from patterns.recsys.entities.catalogue import Catalogue
from patterns.recsys.entities.events import Events
from patterns.recsys.entities.requests import Requests
from patterns.recsys.stages.candidates.popularity import decayed
from patterns.recsys.stages.candidates.source import Source
from patterns.recsys.stages.candidates.vectors import unseen

CACHED = 256  # kinds of users
PRIORS = (10.0, 30.0, 100.0, 300.0, 1e3, 3e3, 1e4, 3e4, 1e5, 1e6)  # events


class SegmentPopularity(Source):
    """Time-decayed counts per segment, shrunk to the global ones."""

    name = "segment-popularity"
    reads = frozenset({"events", "attributes"})
    explains = "people"

    def __init__(self, *, half_life_days: float = 30.0, prior: float | None = None) -> None:
        """Take the prior's events; None chooses them from the data."""
        self.half_life_days = half_life_days
        self.prior = prior
        self._known: dict[tuple[int, ...], tuple[np.ndarray, np.ndarray]] = {}

    def lacks(self, catalogue: Catalogue) -> str | None:
        """Need users of whom something is told."""
        return None if catalogue.has_attributes else "attributes of users"

    def fit(
        self,
        events: Events,
        catalogue: Catalogue,
        *,
        checkpoint: Path | None = None,
        resume: bool = False,
    ) -> Self:
        """Count the items of `events` by the attributes of the users."""
        self._known.clear()
        items, segments = events.items, catalogue.segments[events.users]  # (E,), (E, S)
        sizes = catalogue.segment_sizes
        weights = decayed(events.times, self.half_life_days) * np.log2(1.0 + events.weights)
        self.scores_ = np.bincount(items, weights=weights, minlength=len(catalogue.item_ids))
        self.priors_, lifts = [], []
        for codes, size in zip(segments.T, sizes, strict=True):
            cells = np.zeros((size, len(self.scores_)))
            np.add.at(cells, (codes, items), weights)  # (C, N)
            prior = self.prior or _likeliest(cells, self.scores_, codes, items, weights)
            self.priors_.append(prior)
            lifts.append(_log_lift(cells, self.scores_, prior))
        self.lifts_ = np.concatenate(lifts).astype(np.float32)  # (sum C, N)
        self.offsets_ = np.cumsum([0, *sizes[:-1]])  # (S,)
        return self

    def retrieve(self, requests: Requests, k: int) -> Candidates:
        """Return the `k` most popular items of each user's segments that the user has not seen."""

        def ranked(rows: np.ndarray, width: int) -> Candidates:
            kinds = [self._ranked(tuple(each)) for each in requests.segments[rows].tolist()]
            items = np.array([order[:width] for order, _ in kinds])
            return Candidates(items, np.array([scores[:width] for _, scores in kinds]))

        return unseen(ranked, requests.barred, k)

    def score(self, requests: Requests, item_ids: np.ndarray) -> np.ndarray:
        """Score any items (B, K); padding scores 0."""
        rows = requests.segments + self.offsets_  # (B, S)
        lift = self.lifts_[rows[:, :, None], item_ids[:, None, :]].sum(axis=1)  # (B, K)
        scores = self.scores_[item_ids] * np.exp(lift)
        return np.where(item_ids < 0, 0.0, scores).astype(np.float32)

    def because(
        self, request: Requests, item: int, titles: np.ndarray, *, proposed: bool
    ) -> str | None:
        """Point to similar people, where it proposed the item to a user of known attributes."""
        known = proposed and request.segments.any()
        return "popular lately with people like you" if known else None

    def save(self, folder: Path) -> None:
        """Write global scores and the segments' lifts."""
        np.savez(
            folder / "segment_popularity.npz",
            scores=self.scores_,
            lifts=self.lifts_,
            offsets=self.offsets_,
            priors=np.array(self.priors_),
            half_life=np.array(self.half_life_days),
        )

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        with np.load(folder / "segment_popularity.npz") as arrays:
            stage = cls(half_life_days=float(arrays["half_life"]))
            stage.scores_, stage.lifts_ = arrays["scores"], arrays["lifts"]
            stage.offsets_, stage.priors_ = arrays["offsets"], arrays["priors"].tolist()
        return stage

    def _ranked(self, segments: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Return all items of one kind of user, best first, with scores; cached by kind."""
        known = self._known.get(segments)
        if known is None:
            if len(self._known) >= CACHED:
                self._known.clear()
            lift = self.lifts_[np.array(segments) + self.offsets_].sum(axis=0)  # (N,)
            scores = (self.scores_ * np.exp(lift)).astype(np.float32)
            order = np.argsort(-scores, kind="stable")
            known = self._known[segments] = order, scores[order]
        return known


def _log_lift(cells: np.ndarray, total: np.ndarray, prior: float) -> np.ndarray:
    """Return log p(i | s) / p(i): (C, N); 0 for code 0 (unknown) and items without events."""
    overall = total / max(total.sum(), 1e-12)
    shrunk = (cells + prior * overall) / (cells.sum(axis=1, keepdims=True) + prior)
    ratio = np.divide(shrunk, overall, out=np.ones_like(cells), where=overall > 0)
    ratio[0] = 1.0
    return np.log(ratio)


def _likeliest(
    cells: np.ndarray, total: np.ndarray, codes: np.ndarray, items: np.ndarray, weights: np.ndarray
) -> float:
    """Choose the prior under which events of known segments, each left out, are likeliest."""
    known = codes > 0
    codes, items, weights = codes[known], items[known], weights[known]
    everything = total.sum()
    overall = (total[items] - weights + 1.0 / len(total)) / (everything - weights + 1.0)
    of_item = cells[codes, items] - weights
    of_cell = cells.sum(axis=1)[codes] - weights
    fits = [
        float(weights @ np.log((of_item + prior * overall) / (of_cell + prior))) for prior in PRIORS
    ]
    return PRIORS[int(np.argmax(fits))] if len(items) else PRIORS[-1]
