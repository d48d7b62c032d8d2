"""The simulated world of films in two sizes, each made once, and how to read its tables."""

from functools import cache

import numpy as np
import polars as pl

from common.units import DAY
from data.simulated.movies import START, generate, true_preference
from data.tables import Interactions

SMALL = {"users": 150, "items": 200, "events": 4_000}


@cache
def small() -> Interactions:
    return generate(seed=3, **SMALL)


@cache
def large() -> Interactions:
    """The default size, for what shows in the mean only."""
    return generate(seed=1)


def rows_of(ids: pl.Series, known: pl.Series) -> np.ndarray:
    return np.searchsorted(known.to_numpy(), ids.to_numpy())  # ids are in order


def days_of(table: Interactions) -> np.ndarray:
    return (table.interactions["timestamp"].to_numpy() - START) / DAY


def likings(table: Interactions) -> np.ndarray:
    """Give the true liking of each view, in stars."""
    events = table.interactions
    day = np.floor(days_of(table))
    found = np.empty(events.height)
    for begin in range(0, events.height, 10_000):
        part = slice(begin, begin + 10_000)
        liked = true_preference(table, events["user_id"].to_numpy()[part], day[part])
        items = rows_of(events["item_id"][part], table.items["item_id"])
        found[part] = liked[np.arange(len(items)), items]
    return found
