"""Sessions of the simulated world: when someone sits down, on which device, what they take.

A session shows a shelf of cards drawn by the popularity of the day; what the account has seen and
what lies there twice is taken off. From what is left, the person takes as many films as the session
has views, by the log-odds

    sharpness * affinity + lean of the device * length of the film - 0.5 log(1 + position)

with Gumbel noise, which is drawing without replacement by softmax. The order of the shelf is drawn
by popularity too (Plackett-Luce) and does not depend on the taste of the person: the exposures are
those of a logging policy that knows popularity and what was seen, and nothing else.

An account may be used on two devices at once, so its sessions may overlap.

The Gumbel-top-k trick is Kool et al., ICML 2019. Shapes: `S` sessions, `B` sessions of a batch,
`M` places of the shelf, `V` devices, `U` people, `N` films.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from common.units import DAY
from data.simulated.movies.films import Films, decks
from data.simulated.movies.people import People
from data.simulated.movies.truth import LEAN, POSITION, length_of, taste_on

SHELF = 80
VIEWS = 3.0
"""Views of a session, on average."""
MOST_VIEWS = 10
EXPOSURES = 1_000_000
"""About so many exposures are logged at most; of a large world, those of some sessions only."""
_LOG = np.log(np.arange(SHELF + 2, dtype=np.float32).clip(1))
_SEEN = np.int8(127)
_CELLS = 20_000_000  # of the matrix of people and films that is kept at once, a byte each
# weight of each hour for the start of a session, 0 to 23
HOURS = np.array(
    [6, 3, 2, 1, 1, 1, 2, 4, 5, 5, 5, 6, 8, 8, 7, 7, 8, 10, 14, 20, 24, 24, 19, 12], dtype=float
)
# what each part of the day (night, morning, noon, evening; six hours each) makes of DEVICES
_DEVICE_OF_HOURS = np.array(
    [[2.0, 1.5, 0.7, 0.6], [3.0, 1.0, 1.0, 0.3], [1.5, 1.0, 2.0, 0.6], [0.6, 1.0, 0.8, 2.5]]
)


@dataclass(frozen=True)
class Sessions:
    """Sessions by person, then time."""

    users: np.ndarray  # (S,) row of the person
    starts: np.ndarray  # (S,) seconds from the first second of the world
    devices: np.ndarray  # (S,) row of DEVICES
    views: np.ndarray  # (S,) how many films are wanted


@dataclass(frozen=True)
class Choices:
    """what was shown or what was chosen, in order of session and place."""

    sessions: np.ndarray
    """Row of the session."""
    places: np.ndarray
    """The view's number in its session; of exposures, the position on the shelf; from 0."""
    items: np.ndarray
    """Row of the film."""
    clicked: np.ndarray
    """Whether it was chosen, bool; of views, true everywhere."""
    affinity: np.ndarray
    """float32 cosine of the day's taste and the film's."""


def draw_sessions(
    rng: np.random.Generator, people: People, counts: np.ndarray, days: int
) -> Sessions:
    """Split each person's `counts` (U,) into sessions, spread evenly over their time here."""
    wanted = np.maximum(1, np.round(counts / VIEWS)).astype(np.int64)
    ends = np.cumsum(wanted)
    of_view = np.repeat(ends - wanted, counts) + np.floor(
        rng.random(counts.sum()) * np.repeat(wanted, counts)
    ).astype(np.int64)
    views = np.bincount(of_view, minlength=ends[-1])  # (S,)
    users = np.repeat(np.arange(len(counts)), wanted)
    place = np.arange(ends[-1]) - (ends - wanted)[users]
    first = np.maximum(people.joined, 0)[users]
    spread = (place + rng.random(len(users))) / wanted[users]
    day = first + np.minimum((days - first) * spread, days - 1 - first).astype(np.int64)
    hour = rng.choice(24, size=len(users), p=HOURS / HOURS.sum())
    starts = day * DAY + hour * 3600 + rng.integers(3600, size=len(users))
    odds = np.log(people.devices[users] * _DEVICE_OF_HOURS[hour // 6])  # (S, V)
    devices = (odds + rng.gumbel(size=odds.shape)).argmax(1)
    kept = np.flatnonzero(views)
    order = kept[np.lexsort((starts[kept], users[kept]))]
    return Sessions(users[order], starts[order], devices[order], views[order])


def draw_choices(
    rng: np.random.Generator,
    sessions: Sessions,
    people: People,
    films: Films,
    *,
    days: int,
    sharpness: float,
) -> tuple[Choices, Choices]:
    """Let everyone browse; give the views by session and the exposures that were logged."""
    deck = decks(rng, films, days)  # (days, Q)
    logged = rng.random(len(sessions.users)) < EXPOSURES / (SHELF * len(sessions.users))
    length, day = length_of(films.runtime), sessions.starts // DAY
    block = max(1, min(4096, _CELLS // len(films.taste)))
    views, exposures = [], []
    for rows, begin, is_first in _batches(sessions.users, block):
        if is_first:
            seen = np.full((block, len(films.taste)), -1, dtype=np.int8)
        users, who = sessions.users[rows], sessions.users[rows] - begin
        cards = rng.integers(deck.shape[1], size=(len(rows), SHELF), dtype=np.int32)
        items = deck[day[rows][:, None], cards]  # (B, M)
        new = _newly_met(seen, who[:, None], items)
        position = np.cumsum(new, axis=1, dtype=np.int32) - 1
        taste = taste_on(people.first[users], people.last[users], day[rows] / max(days - 1, 1))
        affinity = np.matmul(films.taste[items], taste[:, :, None])[:, :, 0]
        odds = sharpness * affinity - POSITION * _LOG[position + 1]
        odds += LEAN[sessions.devices[rows]][:, None] * length[items]
        row, slot, place = _chosen(rng, odds, new, sessions.views[rows])
        seen[who[row], items[row, slot]] = _SEEN
        clicked = np.zeros(new.shape, dtype=bool)
        clicked[row, slot] = True
        parts = items, clicked, affinity
        views.append(Choices(rows[row], place, *(part[row, slot] for part in parts)))
        row, slot = np.nonzero(new & logged[rows][:, None])
        shown = rows[row], position[row, slot]
        exposures.append(Choices(*shown, *(part[row, slot] for part in parts)))
    return _joined(views), _joined(exposures)


def _batches(users: np.ndarray, block: int) -> Iterator[tuple[np.ndarray, int, bool]]:
    """Yield rows with at most one session a person, in order of time within `block` people.

    With each come the first person of the block and whether the block begins.
    """
    for begin in range(0, int(users[-1]) + 1, block):
        low, high = np.searchsorted(users, [begin, begin + block])
        inside = users[low:high]
        number = np.arange(len(inside)) - np.searchsorted(inside, inside)  # of the session
        order = low + np.argsort(number, kind="stable")
        ends = np.cumsum(np.bincount(number))
        for batch, rows in enumerate(np.split(order, ends[:-1])):
            yield rows, begin, batch == 0


def _newly_met(seen: np.ndarray, users: np.ndarray, items: np.ndarray) -> np.ndarray:
    """Tell which cards (B, M) are of films the person has not seen, the first card of each film.

    `seen` is scratch space besides: from right to left each card writes its slot, so the first
    card of a film is the one that finds its own.
    """
    unseen = seen[users, items] != _SEEN
    slots = np.broadcast_to(np.arange(items.shape[1], dtype=np.int8), items.shape)
    rows, columns = (place[::-1] for place in np.nonzero(unseen))
    people = users[rows, 0]
    films = items[rows, columns]
    seen[people, films] = slots[rows, columns]
    unseen[rows, columns] = seen[people, films] == slots[rows, columns]
    return unseen


def _chosen(
    rng: np.random.Generator, odds: np.ndarray, new: np.ndarray, views: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw `views` (B,) cards of each row by Gumbel-top-k; give rows, slots and their order."""
    exponential = rng.standard_exponential(odds.shape, dtype=np.float32)
    noisy = odds - np.log(np.maximum(exponential, 1e-30))  # a float32 can be drawn as 0
    noisy[~new] = -np.inf
    most = min(int(views.max()), MOST_VIEWS)
    slots = np.argsort(-noisy, axis=1)[:, :most]  # (B, most)
    wanted = np.arange(most) < np.minimum(views, new.sum(1))[:, None]
    row, place = np.nonzero(wanted)
    return row, slots[row, place], place


def _joined(parts: list[Choices]) -> Choices:
    """Join and order by session, then place."""
    columns = [
        np.concatenate(column) for column in zip(*(vars(p).values() for p in parts), strict=True)
    ]
    order = np.lexsort((columns[1], columns[0]))
    return Choices(*(column[order] for column in columns))
