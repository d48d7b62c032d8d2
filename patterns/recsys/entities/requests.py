"""What a request, its answer and leakage mean in recommendation.

A request is a user at a moment. What the user interacted with strictly before the moment is known
to the recommender (a server sees it live); what comes afterwards within the same window is the
answer. So a user who first appears in a window is a request too, with a short history, and
one who appears out of nowhere has an empty one: the cold start is part of the figures. Events in
the same second as the moment belong to the answer, never to the history.

Shapes: `B` requests, `N` items, `U` users, `E` events, `H` recent items, `S` user attributes,
`C` context columns.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from common.retrieval import MISSING
from patterns.recsys.entities.catalogue import Catalogue, no_column
from patterns.recsys.entities.events import Events, as_pairs, new_to, worth_of

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

RECENT = 50


@dataclass(frozen=True)
class Requests:
    """Users at a moment, with what is known of them then."""

    segments: np.ndarray  # (B, S) int64
    times: np.ndarray  # (B,) int64 seconds
    recent: np.ndarray  # (B, H) int64, newest first, -1 padded
    seen: csr_matrix  # (B, N) how much of each item is in the history, as `Events.matrix` counts
    contexts: np.ndarray = field(default_factory=no_column)
    """(B, C) int64 codes of the device and of further context columns, 0 where not known."""
    users: np.ndarray = field(default_factory=no_column)
    """(B,) int64 who asks, -1 unknown; no model reads it."""
    barred: csr_matrix = None
    """(B, N) 1 where an item must not be recommended; by default what is seen."""

    def __post_init__(self) -> None:
        """Fill in what is not known."""
        if not len(self.users):
            object.__setattr__(self, "users", np.full(len(self.times), MISSING))
        if not len(self.contexts):
            object.__setattr__(self, "contexts", np.zeros((len(self.times), 1), np.int64))
        if self.barred is None:
            object.__setattr__(self, "barred", self.seen)

    def __len__(self) -> int:
        return len(self.times)

    def part(self, rows: np.ndarray | slice) -> Requests:
        """Return some rows."""
        return Requests(*(column[rows] for column in self.__dict__.values()))


def requests_within(
    past: Events,
    window: Events,
    catalogue: Catalogue,
    *,
    moments: tuple[float, ...],
    most: int | None = None,
    seed: int = 0,
) -> tuple[Requests, csr_matrix, np.ndarray]:
    """Make requests of the users active in `window`, at shares `moments` of their events there.

    Returns the requests, the answers (B, N) as 0/1, and each request's user (B,). A moment at
    which nothing is left to answer is no request. More than `most` are sampled down to `most`.
    """
    users, items = len(catalogue.user_ids), len(catalogue.item_ids)
    every = past.joined(window)
    order = np.lexsort((every.times, every.users))  # by user, then time
    by_user = every.part(order)
    begins = np.searchsorted(by_user.users, np.arange(users + 1))
    active = np.unique(window.users)
    counts = np.bincount(window.users, minlength=users)[active]
    first = begins[active + 1] - counts  # first event of the window, per user
    rows = [first + np.floor(share * counts).astype(int) for share in moments]
    where, who = np.concatenate(rows), np.tile(active, len(moments))
    kept = where < begins[who + 1]
    where, who = where[kept], who[kept]
    times = by_user.times[where]
    where = _first_of_second(by_user, where, begins[who])  # the whole second is answer
    who, where, times = _unique_requests(who, where, times)
    found = _requests_at(by_user, begins, who, where, times, catalogue, items)
    if most is None or len(found[0]) <= most:
        return found
    requests, answers, who = found
    drawn = np.sort(np.random.default_rng(seed).choice(len(requests), most, replace=False))
    return requests.part(drawn), answers[drawn], who[drawn]


def requests_at_times(
    events: Events, catalogue: Catalogue, users: np.ndarray, times: np.ndarray
) -> Requests:
    """Make a request of each of `users` (B,) at `times` (B,), knowing what came before."""
    by_user = events.part(np.lexsort((events.times, events.users)))
    begins = np.searchsorted(by_user.users, users)
    ends = np.searchsorted(by_user.users, users, side="right")
    first = events.times.min()
    span = int(max(events.times.max(), times.max(initial=0)) - first) + 2
    keys = by_user.users * span + (by_user.times - first)
    where = np.searchsorted(keys, users * span + np.maximum(times - first, 0))
    known = where < ends
    next_one = by_user.contexts[np.where(known, where, 0)]
    seen = _rows_of(by_user, begins, where, len(catalogue.item_ids))
    return Requests(
        catalogue.segments[users],
        times,
        recent_items(by_user.items, begins, where),
        seen,
        np.where(known[:, None], next_one, 0),
        users,
        catalogue.barred(seen),
    )


def _requests_at(
    by_user: Events,
    begins: np.ndarray,
    who: np.ndarray,
    where: np.ndarray,
    times: np.ndarray,
    catalogue: Catalogue,
    items: int,
) -> tuple[Requests, csr_matrix, np.ndarray]:
    seen = _rows_of(by_user, begins[who], where, items)
    barred = catalogue.barred(seen)
    answers = as_pairs(_rows_of(by_user, where, begins[who + 1], items))
    answers = new_to(barred, answers)  # a repeat is a discovery only where repeats are recommended
    requests = Requests(
        catalogue.segments[who],
        times,
        recent_items(by_user.items, begins[who], where),
        seen,
        by_user.contexts[where],
        who,
        barred,
    )
    kept = np.flatnonzero(np.diff(answers.indptr))
    return requests.part(kept), answers[kept], who[kept]


def recent_items(items: np.ndarray, begins: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Return the latest items (B, H), newest first, of the slices [begin, end) of `items`."""
    places = ends[:, None] - 1 - np.arange(RECENT)  # (B, H)
    known = places >= begins[:, None]
    return np.where(known, items[np.where(known, places, 0)], MISSING)


def events_with_history(
    events: Events, catalogue: Catalogue, *, most: int | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return each event's recent items before it (E, H), the user's attributes, and the item.

    More than `most` events are cut to the latest ones, with their whole histories.
    """
    by_user = events.part(np.lexsort((events.times, events.users)))
    begins = np.searchsorted(by_user.users, np.arange(len(catalogue.user_ids)))[by_user.users]
    rows = before = np.arange(len(by_user))
    if catalogue.timed:  # else what stands before it in a random order
        before = _first_of_second(by_user, rows, begins)
    if most is not None and most < len(by_user):
        rows = np.sort(np.argsort(by_user.times, kind="stable")[-most:])
    recent = recent_items(by_user.items, begins[rows], before[rows])
    return recent, catalogue.segments[by_user.users[rows]], by_user.items[rows]


def latest_by_user(events: Events, users: int) -> np.ndarray:
    """Return each user's latest items (U, H), newest first."""
    by_user = events.part(np.lexsort((events.times, events.users)))
    bounds = np.searchsorted(by_user.users, np.arange(users + 1))
    return recent_items(by_user.items, bounds[:-1], bounds[1:])


def _rows_of(events: Events, begins: np.ndarray, ends: np.ndarray, width: int) -> csr_matrix:
    """Return the matrix (B, N) of the slices [begin, end) of `events`, each as of one user."""
    sizes = ends - begins
    offsets = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    places = np.repeat(begins, sizes) + offsets
    rows = np.repeat(np.arange(len(sizes)), sizes)
    shape = len(sizes), width
    return worth_of(rows, events.items[places], events.weights[places], shape=shape)


def _first_of_second(by_user: Events, where: np.ndarray, begins: np.ndarray) -> np.ndarray:
    """Move each place back to the user's first event of the same second."""
    moved = where.copy()
    while True:
        same = (moved > begins) & (by_user.times[np.maximum(moved - 1, 0)] == by_user.times[moved])
        if not same.any():
            return moved
        moved = np.where(same, moved - 1, moved)


def _unique_requests(
    who: np.ndarray, where: np.ndarray, times: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    _, first = np.unique(where, return_index=True)
    return who[first], where[first], times[first]
