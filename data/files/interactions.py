"""Interactions out of a user's tables: events, and what is known of users and items.

The events are one file, or one for each part of a split. Two more may tell of users and items; each
has one row an id, in a column named as in the events; what they may say is in `descriptions`.

Ids are kept byte for byte: no case folding, no normal form, no trimming.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from common.own_files import TimedTableOptions
from data.files.amounts import to_numbers
from data.files.columns import Columns, Name, file_source, parts_of, repeated
from data.files.dates import span_of
from data.files.descriptions import (
    ITEM_COLUMNS,
    USER_COLUMNS,
    Description,
    check_names,
    completed,
)
from data.files.faults import flag
from data.files.ratings import rating_range, read_ratings
from data.files.reader import read_table
from data.tables import Interactions

YEARS = (1970, 2100)
"""An event outside of these years is a mistake, such as a time in milliseconds."""
LEAST_WEIGHT = 1e-9


@dataclass(frozen=True)
class EventColumns:
    """How the columns of the events are called; None where there is none."""

    user: str = "user_id"
    item: str = "item_id"
    rating: str | None = None
    timestamp: str | tuple[str, ...] | None = None
    """Several are read as one, with a space between; without any `timestamp`, where there is
    one."""
    weight: str | None = None
    """A count above 0."""
    device: str | None = None
    watch_seconds: str | None = None
    context: tuple[str, ...] = ()
    """Columns that are kept as they are, under their names."""
    rating_range: tuple[float, float] | None = None
    """Lowest and highest rating there may be; without it any number is taken."""
    unrated: float | None = None
    """The rating that says that none was given, such as 0 or -1; the event is kept."""

    def read(self, path: Path, options: TimedTableOptions) -> tuple[pl.DataFrame, list[str]]:
        """Return the events of one file, and what must be said; rating and time may be null."""
        limits = rating_range(self.rating_range)
        names: dict[str, Name | None] = {"user": self.user, "item": self.item}
        names |= {"rating": self.rating, "timestamp": self.timestamp or None}
        names |= {"weight": self.weight, "device": self.device}
        names |= {"watch_seconds": self.watch_seconds}
        names |= {f"context:{name}": name for name in self.context}
        wanted = {argument: parts_of(name)[0] for argument, name in names.items() if name}
        guesses = {f"{each}?": each for each in ("rating", "timestamp") if each not in wanted}
        table = read_table(path, options, wanted=wanted | guesses)
        if names["timestamp"] is None and "timestamp" in table.frame.columns:
            names["timestamp"] = "timestamp"
        read = Columns(table, names, verbatim=("user", "item"))
        if options.incomplete == "skip":
            read.skip_incomplete([each for each in read.names if not _may_be_empty(each)])
            _skip_returns(read)
        ratings = read_ratings(read, limits, self.unrated) if "rating" in read else None
        frame = _events(read, ratings, options)
        return frame, read.notes()


def interactions_from_csv(
    path: str | Path | Mapping[str, str | Path],
    *,
    users: str | Path | None = None,
    items: str | Path | None = None,
    names: Mapping[str, str] | None = None,
    users_columns: tuple[str, ...] = (),
    items_columns: tuple[str, ...] = (),
    options: TimedTableOptions | None = None,
    **columns: Any,
) -> Interactions:
    """Read who met what, of one file, or of one for each part: train, valid and test.

    `columns` are those of `EventColumns`. A timestamp is read as `options` say, within YEARS;
    device, contexts and seconds watched may be empty in some rows. `users` and `items` are further
    files: `names` gives their columns whose name is not ours, such as {"text": "plot"}, and
    `users_columns`, `items_columns` all of them where there is no header. Repeated rows are kept
    and said, and so is an id that the other file lacks.
    """
    events, options = EventColumns(**columns), options or TimedTableOptions()
    parts = {name: Path(part) for name, part in path.items()} if isinstance(path, Mapping) else {}
    paths = list(parts.values()) or [Path(path)]  # type: ignore[arg-type]
    read = [events.read(each, options) for each in paths]
    frames = [
        frame if not parts else frame.with_columns(part=pl.lit(name))
        for (frame, _), name in zip(read, parts or [""], strict=True)
    ]
    frame = pl.concat(frames)
    said = [repeated(frame), *(note for _, notes in read for note in notes)]
    names = names or {}
    check_names(names, users, items)
    of_users = Description("user", events.user, users, USER_COLUMNS, users_columns)
    of_items = Description("item", events.item, items, ITEM_COLUMNS, items_columns)
    known_users, said_users = of_users.read(frame["user_id"], names, options)
    known_items, said_items = of_items.read(frame["item_id"], names, options)
    rows = _in_words(frame, known_users, known_items)
    told = dict.fromkeys(filter(None, [*said, *said_users, *said_items]))
    paths += [Path(other) for other in (users, items) if other]
    source = file_source(paths, rows=rows, notice=" ".join(told) or None)
    return Interactions(source, frame, known_users, completed(known_items))


def _in_words(frame: pl.DataFrame, users: pl.DataFrame, items: pl.DataFrame) -> str:
    """Say how much was read, and of which span of time, where there are times."""
    said = f"{frame.height:,} interactions, {users.height:,} users, {items.height:,} items"
    times = frame["timestamp"].drop_nulls()
    return f"{said}, {span_of(times)}" if len(times) else said


def _may_be_empty(argument: str) -> bool:
    return argument in ("device", "watch_seconds") or argument.startswith("context:")


def _skip_returns(read: Columns) -> None:
    """Leave out the rows of a count that is not above 0, such as what was sent back."""
    if "weight" in read:
        counts, _ = to_numbers(read.texts["weight"])
        read.skip((counts <= 0).fill_null(False), f"a {read.names['weight']!r} not above 0")


def _weights(read: Columns) -> pl.Series:
    weights = read.numbers("weight", low=-1e9)
    skipped = f"not above 0; skip such rows by {flag('incomplete')} skip"
    read.fault("weight", (weights < LEAST_WEIGHT).fill_null(False), skipped)
    return weights


def _events(read: Columns, ratings: pl.Series | None, options: TimedTableOptions) -> pl.DataFrame:
    """Convert the columns of the events; rating and timestamp are null where there is none."""
    columns = {"user_id": read.filled("user"), "item_id": read.filled("item")}
    unknown = pl.Series([None] * len(columns["user_id"]))
    columns["rating"] = unknown if ratings is None else ratings
    known = "timestamp" in read
    columns["timestamp"] = read.seconds("timestamp", options, years=YEARS) if known else unknown
    if "weight" in read:
        columns["weight"] = _weights(read)
    if "device" in read:
        columns["device"] = read.optional("device")
    if "watch_seconds" in read:
        columns["watch_seconds"] = read.numbers("watch_seconds", optional=True)
    contexts = [argument for argument in read.names if argument.startswith("context:")]
    columns |= {argument.removeprefix("context:"): read.optional(argument) for argument in contexts}
    read.check()
    kinds = {"rating": pl.Float32, "timestamp": pl.Int64, "watch_seconds": pl.Float32}
    kinds |= {"weight": pl.Float32}
    return pl.DataFrame(columns).cast({name: kinds[name] for name in columns if name in kinds})
