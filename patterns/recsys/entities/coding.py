"""From frames to codes, and from the codes of one table to those of another.

What a ranker learned must keep its numbers overnight, so new data is coded as the old was.

Shapes: `E` events, `C` context columns, `S` user attributes.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from patterns.recsys.entities.catalogue import Catalogue
from patterns.recsys.entities.events import Events
from patterns.recsys.entities.exposures import Exposures


def events_of(frame: pl.DataFrame, catalogue: Catalogue) -> Events:
    """Code a frame of events by the rows of a catalogue that knows all their ids."""
    return Events(
        codes_of(frame["user_id"], catalogue.user_ids),
        codes_of(frame["item_id"], catalogue.item_ids),
        frame["rating"].fill_null(float("nan")).to_numpy().astype(np.float32),
        frame["timestamp"].to_numpy().astype(np.int64),
        _minutes(frame),
        _contexts(frame, catalogue),
        _weights(frame),
    )


def exposures_of(frame: pl.DataFrame, catalogue: Catalogue) -> Exposures:
    """Code a log of what was shown, in order of the shelf."""
    frame = frame.sort("session_id", "position")
    return Exposures(
        codes_of(frame["user_id"], catalogue.user_ids),
        codes_of(frame["item_id"], catalogue.item_ids),
        frame["timestamp"].to_numpy().astype(np.int64),
        frame["session_id"].to_numpy().astype(np.int64),
        frame["clicked"].to_numpy(),
    )


def codes_of(values: pl.Series, known: np.ndarray) -> np.ndarray:
    """Return the row number of each value in `known`, which holds all of them."""
    names = pl.Series(known, dtype=pl.String)
    table = pl.DataFrame({"value": names, "code": np.arange(len(known))})
    frame = pl.DataFrame({"value": values.cast(pl.String)})
    return frame.join(table, on="value", how="left", maintain_order="left")["code"].to_numpy()


def _minutes(frame: pl.DataFrame) -> np.ndarray:
    """Return minutes watched (E,), NaN unknown."""
    if "watch_seconds" not in frame.columns:
        return np.full(frame.height, np.nan, np.float32)
    minutes = frame["watch_seconds"].cast(pl.Float64).fill_null(float("nan")).to_numpy() / 60
    return minutes.astype(np.float32)


def _contexts(frame: pl.DataFrame, catalogue: Catalogue) -> np.ndarray:
    """Return the codes (E, C) of the context columns, 0 unknown."""
    codes = np.zeros((frame.height, len(catalogue.contexts)), dtype=np.int64)
    for place, (name, values) in enumerate(catalogue.contexts.items()):
        if values:
            code = {value: number for number, value in enumerate(values, start=1)}
            column = frame[name].cast(pl.String)
            codes[:, place] = column.replace_strict(code, default=0, return_dtype=pl.Int64)
    return codes


def _weights(frame: pl.DataFrame) -> np.ndarray:
    """Return the weights (E,) over their median, 1 where there are none."""
    if "weight" not in frame.columns:
        return np.ones(frame.height, np.float32)
    weights = frame["weight"].to_numpy().astype(np.float64)
    return (weights / np.median(weights)).astype(np.float32)


def recoded(new: Catalogue, old: Catalogue) -> Catalogue:
    """Return `new` with attributes and contexts coded as in `old`; a new value is unknown to it."""
    segments = np.zeros_like(new.segments)
    for place, name in enumerate(new.segment_names):
        codes = np.arange(new.segment_sizes[place])  # an age is a band in any data
        if name != "age":
            codes = _translated(new.values_of(name), old.values_of(name))
        segments[:, place] = codes[new.segments[:, place]]
    return replace(
        new,
        segments=segments,
        segment_sizes=old.segment_sizes,
        segment_values=old.segment_values,
        contexts=old.contexts,
        repeats=old.repeats,
    )


def recoded_events(events: Events, new: Catalogue, old: Catalogue) -> Events:
    """Return events of `new` with the context codes of `old`."""
    codes = [
        _translated(new.contexts[name], values)[column]
        for (name, values), column in zip(old.contexts.items(), events.contexts.T, strict=True)
    ]
    return replace(events, contexts=np.stack(codes, axis=1))


def _translated(new: tuple[str, ...], old: tuple[str, ...]) -> np.ndarray:
    """Return the old code of each new one, 0 for the unknown and for what is new."""
    known = {value: code for code, value in enumerate(old, start=1)}
    return np.array([0, *(known.get(value, 0) for value in new)])
