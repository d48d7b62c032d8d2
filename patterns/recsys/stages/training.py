"""What the rankers learn from and are judged on: the candidates of a window, or what was shown.

A request stands at several moments of a user's window; what the user chose after the moment is
right. Users fall into folds, so that each is judged by a ranker that has not seen the user.

Shapes: `B` requests, `K` candidates, `F` features, `U` users, `N` items.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from common.evaluation.ranking import judge, ndcg
from common.retrieval import Candidates, ordered
from patterns.recsys.entities.catalogue import Catalogue
from patterns.recsys.entities.events import Events
from patterns.recsys.entities.exposures import Exposures, shelves
from patterns.recsys.entities.requests import Requests, requests_within
from patterns.recsys.stages.candidates.sources import Sources
from patterns.recsys.stages.features import Features
from patterns.recsys.stages.merging import votes_for
from patterns.recsys.stages.ranking.examples import TrainingSet, labels_of, training_set

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

MOMENTS = (0.0, 0.2, 0.4, 0.6, 0.8)  # of a user's events in the window
FOLDS = 3  # of users, for early stopping and choices
MOST_REQUESTS = 1_500  # most that rankers learn from


@dataclass(frozen=True)
class Task:
    """Candidates to put in order, and what is right."""

    requests: Requests
    merged: Candidates  # (B, K)
    answers: csr_matrix  # (B, N) 0 or 1
    examples: TrainingSet
    lists: list[Candidates]  # of each source

    def ndcg(self, scores: np.ndarray) -> float:
        """Return the mean NDCG@10 of the merged candidates in the order of `scores` (B, K)."""
        return self.quality(self.ranked(scores))

    def ranked(self, scores: np.ndarray) -> Candidates:
        """Return the merged candidates in the order of `scores` (B, K)."""
        return ordered(self.merged.item_ids, scores)

    def quality(self, lists: Candidates) -> float:
        """Return the mean NDCG@10 of any lists of the requests."""
        judged = judge(lists.item_ids, self.answers)
        return float(ndcg(judged.relevance, judged.ideal, 10).mean())


@dataclass(frozen=True)
class Window:
    """A window of time after a past, whose users fall into folds."""

    past: Events
    events: Events
    catalogue: Catalogue
    seed: int

    def task(self, sources: Sources, features: Features, *, choose_shares: bool = False) -> Task:
        """Ask for candidates at the moments of the window; raise where no user can be held out.

        With `choose_shares` it is chosen here what each source counts in the merge.
        """
        requests, answers, users = requests_within(
            self.past, self.events, self.catalogue,
            moments=MOMENTS, most=MOST_REQUESTS, seed=self.seed,
        )  # fmt: skip
        if len(np.unique(self._fold_of()[users])) < 2:
            raise ValueError(
                f"events: {len(np.unique(users))} users interacted with something new in the"
                " validation window, too few to hold some out; make it longer, or give data of more"
                " users"
            )
        lists = sources.lists(requests)
        if choose_shares:
            sources.choose_shares(lists, answers)
        merged = sources.merged(lists)
        item_ids = merged.candidates.item_ids
        described = features.describe(sources, requests, item_ids, merged.votes())
        examples = self._examples(described, item_ids, labels_of(item_ids, answers), users)
        return Task(requests, merged.candidates, answers, examples, lists)

    def shown(self, log: Exposures | None, sources: Sources, features: Features) -> TrainingSet:
        """Return what was shown in the window, and what of it was clicked."""
        if log is None:
            raise ValueError(
                "log: exposures need a log of what was shown, and this data has none; give one, or"
                " let the rankers learn from candidates"
            )
        every = self.past.joined(self.events)
        found = shelves(log, every, self.catalogue, most=MOST_REQUESTS, seed=self.seed)
        if len(np.unique(self._fold_of()[found.users])) < FOLDS:
            raise ValueError(
                f"log: {len(found)} logged sessions in the validation window are too few; make it"
                " longer, or let the rankers learn from candidates"
            )
        votes = votes_for(found.item_ids, sources.lists(found.requests))
        described = features.describe(sources, found.requests, found.item_ids, votes)
        return self._examples(described, found.item_ids, found.labels, found.users)

    def _fold_of(self) -> np.ndarray:
        """Return the fold of each user (U,)."""
        rng = np.random.default_rng(self.seed)
        return rng.integers(FOLDS, size=len(self.catalogue.user_ids))

    def _examples(
        self, features: np.ndarray, item_ids: np.ndarray, labels: np.ndarray, users: np.ndarray
    ) -> TrainingSet:
        """Join features (B, K, F) of items (B, K) with what `users` (B,) did in the window."""
        shape = len(self.catalogue.user_ids), len(self.catalogue.item_ids)
        return training_set(features, item_ids, labels, users, self._fold_of(), self.events, shape)
