"""What was shown, and what of it was clicked, where the data has logged it.

A log tells what a user passed over, while candidates retrieved anew only tell what a user did not
interact with. But it tells of the policy that filled the shelves in its day, and a ranker is asked
about other items than those: the ones that today's sources propose. Learning from either is one
option (`--ranking.examples`); both are judged on candidates, since these are what is served.

A request is the first second of a session. The history ends before it, so nothing clicked on
a shelf is known when the shelf is scored.

Shapes: `X` exposures, `B` sessions, `M` places of the longest shelf, `N` items.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from common.retrieval import MISSING
from patterns.recsys.entities.catalogue import Catalogue
from patterns.recsys.entities.events import Events
from patterns.recsys.entities.requests import Requests, requests_at_times


@dataclass(frozen=True)
class Exposures:
    """Items shown; users and items are row numbers of the catalogue's tables."""

    users: np.ndarray  # (X,) int64
    items: np.ndarray  # (X,) int64
    times: np.ndarray  # (X,) int64 seconds, the first of the session
    sessions: np.ndarray  # (X,) int64
    clicked: np.ndarray  # (X,) bool

    def __len__(self) -> int:
        return len(self.users)

    def within(self, window: Events) -> Exposures:
        """Keep those from the first to the last second of `window`."""
        kept = (self.times >= window.times.min()) & (self.times <= window.times.max())
        return Exposures(*(column[kept] for column in vars(self).values()))


@dataclass(frozen=True)
class Shelves:
    """Requests with what was shown to them; padding has item id -1 and label 0."""

    requests: Requests
    item_ids: np.ndarray  # (B, M) int64
    labels: np.ndarray  # (B, M) float32, 1 where the item was clicked
    users: np.ndarray  # (B,) int64

    def __len__(self) -> int:
        return len(self.users)


def shelves(
    shown: Exposures, events: Events, catalogue: Catalogue, *, most: int, seed: int = 0
) -> Shelves:
    """Gather exposures by session, sampled down to `most`, and join the histories.

    Sessions without a click are left out: an order cannot be learned from them.
    """
    sessions, code = np.unique(shown.sessions, return_inverse=True)
    used = np.flatnonzero(np.bincount(code, weights=shown.clicked, minlength=len(sessions)))
    if len(used) > most:
        used = np.sort(np.random.default_rng(seed).choice(used, most, replace=False))
    rows = np.flatnonzero(np.isin(code, used))
    rows = rows[np.argsort(code[rows], kind="stable")]  # by session, in order of the shelf
    row_of = np.searchsorted(used, code[rows])  # (X',) of each exposure's session
    first = np.searchsorted(row_of, np.arange(len(used)))
    place = np.arange(len(rows)) - first[row_of]
    shape = len(used), int(place.max(initial=-1)) + 1
    item_ids, labels = np.full(shape, MISSING), np.zeros(shape, dtype=np.float32)
    item_ids[row_of, place] = shown.items[rows]
    labels[row_of, place] = shown.clicked[rows]
    users, times = shown.users[rows][first], shown.times[rows][first]
    requests = requests_at_times(events, catalogue, users, times)
    return Shelves(requests, item_ids, labels, users)
