"""A column of ratings: which of them say that none was given, and which are no ratings at all.

Sets that mix ratings with mere use write 0 or -1 for the latter; taken as ratings, these are the
worst there are. Counts, such as plays, look like ratings too, only larger.
"""

from __future__ import annotations

import math

import numpy as np
import polars as pl

from data.files.amounts import to_numbers
from data.files.columns import Columns
from data.files.faults import flag

_MANY = 0.02  # share of the ratings from which on 0 or -1 may say that there is none
_HIGHEST = 100  # of a rating in whole numbers; a count may be more


def rating_range(limits: tuple[float, float] | None) -> tuple[float, float]:
    """Check the range of ratings; without one any number is taken."""
    low, high = limits or (-1e9, 1e9)
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(
            f"rating_range: {low:g}, {high:g} is not a range. Give the lowest rating first."
        )
    return low, high


def read_ratings(
    read: Columns, limits: tuple[float, float], unrated: float | None = None
) -> pl.Series:
    """Convert the column of the argument `rating` to f64; null where it is `unrated`, or empty.

    Without `unrated` an empty one is a fault, and what may be no rating is said.
    """
    low, high = limits
    if unrated is None:
        ratings = read.numbers("rating", low=low, high=high)
        read.said += _doubts(ratings, read.names["rating"])
        return ratings
    numbers, _ = to_numbers(read.texts["rating"])
    none = (numbers == unrated).fill_null(False)
    read.texts["rating"] = read.texts["rating"].set(none, "")
    read.said.append(f"{int(none.sum()):,} ratings of {unrated:g} count as not given.")
    return read.numbers("rating", low=low, high=high, optional=True)


def _doubts(ratings: pl.Series, name: str) -> list[str]:
    """Say what looks like no rating in the column `name`."""
    known = ratings.drop_nulls().to_numpy()
    given, others = known[known >= 1], np.unique(known[known < 1])
    if not len(given):
        return []
    share = 1 - len(given) / len(known)
    if len(others) == 1 and others[0] in (0, -1) and share >= _MANY:
        return [
            f"{share:.1%} of the ratings in column {name!r} are {others[0]:g}, all others"
            f" {given.min():g} to {given.max():g}: if that says that none was given, give"
            f" {flag('unrated')} {others[0]:g}."
        ]
    if given.max() > _HIGHEST and np.all(known == np.floor(known)):
        return [
            f"Ratings in column {name!r} go up to {given.max():,.0f}: if it counts something, such"
            f" as plays, give it by {flag('weight')} instead of {flag('rating')}."
        ]
    return []
