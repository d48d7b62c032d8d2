"""What is true in the simulated world: the taste of a day, the liking of a pair, the time watched.

    taste of a person on day t   p(t) = (sin((1 - s) a) p(0) + sin(s a) p(1)) / sin(a)
                                 a the angle between first and last taste, s = t / (days - 1)
    affinity                     <p(t), film taste>, the cosine: both are unit vectors
    liking, in stars             3.3 + 2.6 (affinity - 0.45) + quality
    log-odds of watching to the end   1.5 (liking - 2.6) + 0.8 * lean of the device * length

`generate` draws picks, ratings and watch times from these functions, and an evaluation asks
`true_preference` what anyone would have thought of anything on any day.

The rotation is Shoemake's slerp, SIGGRAPH 1985. Shapes: `B` people, `N` films, `D` taste.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from data.tables import Interactions

START = 1_700_000_000 // 86_400 * 86_400  # 2023-11-14 00:00 UTC, an arbitrary first second
DEVICES = ("phone", "tablet", "desktop", "tv")
POSITION = 0.5
"""How much lower the log-odds of being chosen are for each unit of log(1 + position)."""
FINISHED, ABANDONED = (30.0, 1.0), (1.2, 3.5)
"""Parameters of the Beta share of a film that is watched, to the end or not."""
LEAN = np.array([-1.0, -0.35, 0.0, 0.45], dtype=np.float32)
"""How far each of `DEVICES` leans to long films (above zero) or to short ones."""


def taste_on(first: np.ndarray, last: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Rotate unit vectors (B, D) from `first` towards `last` by `share` (B,) of their angle."""
    angle = np.arccos(np.clip((first * last).sum(1), -1.0, 1.0))  # (B,)
    sine = np.sin(angle)
    moves = sine > 1e-6
    divisor = np.where(moves, sine, 1.0)
    before = np.where(moves, np.sin((1 - share) * angle) / divisor, 1.0)
    after = np.where(moves, np.sin(share * angle) / divisor, 0.0)
    turned = before[:, None] * first + after[:, None] * last
    return turned.astype(np.float32)  # (B, D)


def liking(affinity: np.ndarray, quality: np.ndarray) -> np.ndarray:
    """Return what a person thinks of a film, in stars, before noise, rounding and the ends 1 and 5.

    Both arguments are of shapes that broadcast.
    """
    return 3.3 + 2.6 * (affinity - 0.45) + quality


def length_of(runtime_minutes: np.ndarray) -> np.ndarray:
    """Scale minutes to about -2 (a short) .. 2 (very long)."""
    return ((runtime_minutes - 95.0) / 35.0).astype(np.float32)


def finish_probability(
    liked: np.ndarray, runtime_minutes: np.ndarray, device: np.ndarray
) -> np.ndarray:
    """Return the chance that a view is watched to the end and not abandoned, elementwise.

    `liked` is in stars; `device` are row numbers of `DEVICES`.
    """
    odds = 1.5 * (liked - 2.6) + 0.8 * LEAN[device] * length_of(runtime_minutes)
    return 1.0 / (1.0 + np.exp(-odds))


def expected_viewing(
    table: Interactions,
    users: np.ndarray,
    day: np.ndarray,
    devices: np.ndarray,
    pages: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return what comes of one film being chosen from each page (B, k) of rows of `table.items`.

    Returns the minutes watched and the chance that they are to the end, both (B,), expected over
    which film is chosen and at the mean liking of it. `devices` (B,) are rows of `DEVICES`; -1 pads
    pages, and a page of nothing gives 0.
    """
    runtime = table.items["runtime_minutes"].to_numpy()[pages]
    quality = table.extra["film_taste"]["quality"].to_numpy()[pages]
    liked = np.take_along_axis(true_preference(table, users, day), np.maximum(pages, 0), axis=1)
    affinity = (liked - 3.3 - quality) / 2.6 + 0.45
    odds = float(table.extra["world"]["sharpness"][0]) * affinity
    odds += LEAN[devices][:, None] * length_of(runtime)
    odds -= POSITION * np.log1p(np.arange(pages.shape[1]))
    weight = np.where(pages < 0, 0.0, np.exp(odds - odds.max(axis=1, keepdims=True, initial=0.0)))
    chosen = weight / np.maximum(weight.sum(axis=1, keepdims=True), 1e-12)
    finished = finish_probability(liked, runtime, devices[:, None])
    whole, part = (a / (a + b) for a, b in (FINISHED, ABANDONED))
    minutes = runtime * (finished * whole + (1.0 - finished) * part)
    return (chosen * minutes).sum(axis=1), (chosen * finished).sum(axis=1)


def true_preference(
    table: Interactions, users: Sequence[str] | np.ndarray, day: float | np.ndarray
) -> np.ndarray:
    """Return the liking (B, N) in stars of people for all films of `table.items` on a day.

    `users` are ids, or rows of `table.users`; `day` counts from 0, one for all or one each (B,),
    and is held at the first and last day outside of the period. A film not out yet has a liking
    too: `release_date` tells. Raises ValueError if the table is not of this world.
    """
    if not {"world", "person_taste", "film_taste"} <= set(table.extra):
        raise ValueError(
            f"{table.source.name}: the truth is known for simulated-movies only. Load that."
        )
    people, films = table.extra["person_taste"], table.extra["film_taste"]
    rows = _rows(people["user_id"], users)
    last_day = max(int(table.extra["world"]["days"][0]) - 1, 1)
    share = np.broadcast_to(np.clip(np.asarray(day, float) / last_day, 0.0, 1.0), rows.shape)
    taste = taste_on(people["first"].to_numpy()[rows], people["last"].to_numpy()[rows], share)
    return liking(taste @ films["taste"].to_numpy().T, films["quality"].to_numpy())


def _rows(known: pl.Series, users: Sequence[str] | np.ndarray) -> np.ndarray:
    """Return the row of each user; what is no id and no row raises."""
    asked = np.asarray(users)
    if asked.dtype.kind in "iu":
        wrong = (asked < 0) | (asked >= len(known))
        rows = asked
    else:
        row_of = {user_id: row for row, user_id in enumerate(known)}
        rows = np.array([row_of.get(str(user_id), -1) for user_id in asked], dtype=np.int64)
        wrong = rows < 0
    if wrong.any():
        raise ValueError(
            f"users: {asked[wrong][0]!r} is not in this world of {len(known):,} users. Give ids or "
            "row numbers of table.users."
        )
    return rows
