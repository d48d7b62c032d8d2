"""The people of the simulated world: who they are, what they like first and last, how much.

    genres   first = unit(0.35 pull of age and gender + 0.65 own taste), all parts >= 0
    hidden   first = unit(own taste + 0.9 pull of occupation + 0.6 pull of age)
    last     unit((1 - drift) first + drift * another taste of the same demographics)

and the two parts are joined with weights sqrt(1 - h), sqrt(h), so that all tastes are unit vectors.
Of the people, 65 % were there before the first day; the others join during the period.

Shapes: `U` people, `D` taste (genres, then hidden), `V` devices.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from data.simulated.movies.truth import DEVICES, START
from data.simulated.movies.words import GENRES, HIDDEN

HIDDEN_SHARE = 0.4
"""Share of the squared length of a taste that lies in the hidden dimensions."""
OCCUPATIONS = ("artist", "doctor", "educator", "engineer", "lawyer", "retired", "student", "writer")
AGES = ((18, 26), (26, 40), (40, 60), (60, 80))
# what each age group watches on, DEVICES in order, before a person's own habit
_DEVICE_OF_AGE = np.array([[5, 2, 2, 1], [3, 2, 2, 3], [1.5, 2, 2, 5], [0.7, 2, 1, 7]])


@dataclass(frozen=True)
class People:
    """The table of users, and what it does not tell."""

    frame: pl.DataFrame
    first: np.ndarray  # (U, D) float32, taste on the first day
    last: np.ndarray  # (U, D) float32, taste on the last day
    joined: np.ndarray  # (U,) int64 day, below 0 for those who were there before
    devices: np.ndarray  # (U, V) float64, share of each device before the hour speaks


def draw_people(rng: np.random.Generator, users: int, days: int, drift: float) -> People:
    """Draw people whose demographics pull their taste, and whose own taste pulls more."""
    group, gender = rng.integers(len(AGES), size=users), rng.integers(2, size=users)
    job = rng.integers(len(OCCUPATIONS), size=users)
    pulls = (
        rng.dirichlet(np.full(len(GENRES), 0.6), size=(len(AGES), 2))[group, gender],
        0.9 * rng.normal(size=(len(OCCUPATIONS), len(HIDDEN)))[job]
        + 0.6 * rng.normal(size=(len(AGES), len(HIDDEN)))[group],
    )
    first, other = (_taste(rng, *pulls) for _ in range(2))
    joined = np.where(
        rng.random(users) < 0.65, -rng.integers(1, 700, users), rng.integers(0, days, users)
    )
    low, high = np.array(AGES).T
    frame = pl.DataFrame(
        {
            "user_id": [f"u{number:05d}" for number in range(users)],
            "age": rng.integers(low[group], high[group]).astype(np.int32),
            "gender": np.array(["F", "M"])[gender],
            "occupation": np.array(OCCUPATIONS)[job],
            "joined": dates(joined),
        }
    )
    habit = _DEVICE_OF_AGE[group] * rng.gamma(1.2, size=(users, len(DEVICES)))
    return People(
        frame,
        first=first.astype(np.float32),
        last=unit((1 - drift) * first + drift * other).astype(np.float32),
        joined=joined,
        devices=habit / habit.sum(1, keepdims=True),
    )


def _taste(rng: np.random.Generator, genre_pull: np.ndarray, hidden_pull: np.ndarray) -> np.ndarray:
    """Draw one taste (U, D) for each person around the pull of demographics."""
    own = rng.dirichlet(np.full(len(GENRES), 0.25), size=len(genre_pull))
    genres = 0.35 * genre_pull + 0.65 * own
    return joint(genres, rng.normal(size=hidden_pull.shape) + hidden_pull)


def joint(genres: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """Join the two parts of a taste into one unit vector a row."""
    parts = np.sqrt(1 - HIDDEN_SHARE) * unit(genres), np.sqrt(HIDDEN_SHARE) * unit(hidden)
    return np.concatenate(parts, axis=1)


def unit(rows: np.ndarray) -> np.ndarray:
    """Scale each row to length one."""
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def dates(day: np.ndarray) -> pl.Series:
    """Turn days of the world into calendar dates."""
    first = datetime.fromtimestamp(START, UTC).date()
    return pl.Series([first + timedelta(days=int(each)) for each in day], dtype=pl.Date)


def draw_counts(
    rng: np.random.Generator, joined: np.ndarray, days: int, events: int, items: int
) -> np.ndarray:
    """Split `events` over people with a long tail (U,); who joins late sees less.

    Nobody sees more than half the catalogue.
    """
    share = rng.lognormal(0, 0.9, len(joined)) * (days - np.maximum(joined, 0)) / days
    return np.clip(np.round(events * share / share.sum()), 1, items // 2).astype(np.int64)
