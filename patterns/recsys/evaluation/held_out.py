"""Cold starts made on purpose: users and items held out whole, to measure what is left.

    cold_users   the model never saw them; they come with their first n = 0, 1, 3, 5, 10 items
    cold_items   all their events are gone from training; can they be found again?

All n are judged on the same answers, what a user took after the longest start, so that a curve over
n shows what the n items are worth and nothing else.

Shapes: `B` requests, `U` users, `N` items, `E` events.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from patterns.recsys.entities.catalogue import Catalogue
from patterns.recsys.entities.events import Events, new_to
from patterns.recsys.entities.requests import Requests, recent_items

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


KNOWN = (0, 1, 3, 5, 10)


@dataclass(frozen=True)
class ColdUsers:
    """Users held out whole and their requests by number of known items."""

    train: Events  # of all other users
    requests: dict[int, Requests]  # n -> (B,) requests with n known items
    answers: csr_matrix  # (B, N) 0 or 1, the same for every n
    users: np.ndarray  # (B,) row of each request's user


def cold_users(
    events: Events,
    catalogue: Catalogue,
    *,
    known: tuple[int, ...] = KNOWN,
    share: float = 0.2,
    seed: int = 0,
) -> ColdUsers:
    """Hold out a random `share` of the users with events.

    Answers are later than the last known event, a whole second if need be, and no repeats of known
    ones; users without any are held out but ask nothing. Every request is at the moment of the
    user's first answer.
    """
    users, items = len(catalogue.user_ids), len(catalogue.item_ids)
    own = np.isin(events.users, _drawn(events.users, share, seed))
    mine = events.part(own)
    mine = mine.part(np.lexsort((mine.times, mine.users)))  # by user, then time
    bounds = np.searchsorted(mine.users, np.arange(users + 1))
    place = np.arange(len(mine)) - bounds[mine.users]  # of each event among its user's
    starts = {n: mine.part(place < n).matrix(users, items) for n in known}
    last = np.minimum(bounds[:-1] + max(known), bounds[1:]) - 1  # (U,) the last known event
    moment = np.where(last >= bounds[:-1], mine.times[last], -np.inf)
    late = mine.part((place >= max(known)) & (mine.times > moment[mine.users]))
    answers = late.pairs(users, items)
    answers = new_to(catalogue.barred(starts[max(known)]), answers)
    held = np.flatnonzero(np.diff(answers.indptr))
    first = late.times[np.searchsorted(late.users, held)]
    begins = bounds[held]
    requests = {
        n: Requests(
            catalogue.segments[held],
            first,
            recent_items(mine.items, begins, begins + n),
            start[held],
            barred=catalogue.barred(start[held]),
        )
        for n, start in starts.items()
    }
    return ColdUsers(events.part(~own), requests, answers[held], held)


def cold_items(events: Events, *, share: float = 0.1, seed: int = 0) -> tuple[Events, np.ndarray]:
    """Take all events of a random `share` of the items away.

    Returns the events left and the items (M,), ascending.
    """
    cold = _drawn(events.items, share, seed)
    return events.part(~np.isin(events.items, cold)), cold


def _drawn(codes: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Draw a share of the distinct codes, at least one: ascending."""
    if not 0.0 < share < 1.0:
        raise ValueError(f"share: {share} leaves nothing to learn or to judge; give one in (0, 1)")
    distinct = np.unique(codes)
    count = max(1, round(share * len(distinct)))
    return np.sort(np.random.default_rng(seed).permutation(distinct)[:count])
