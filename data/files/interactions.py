"""Interactions out of a user's tables: events, and what is known of users and items.

The events are one file. Two more may tell of users and items; each has one row an id, in a column
named as in the events. What they say is optional, column by column and cell by cell:

    users   age (years), gender, occupation
    items   title, genres (separated by "|"), year, text, runtime_minutes

Ids are kept byte for byte: no case folding, no normal form, no trimming.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from common.own_files import TableOptions, TimedTableOptions
from data.files.columns import Columns, file_source, read_columns, repeated
from data.files.dates import span_of
from data.files.reader import read_table
from data.tables import Interactions

YEARS = (1970, 2100)
"""An event outside of these years is a mistake, such as a time in milliseconds."""
USER_COLUMNS = ("age", "gender", "occupation")
ITEM_COLUMNS = ("title", "genres", "year", "text", "runtime_minutes")
# lowest, highest value of the columns that are whole numbers
_RANGES = {"age": (0, 150), "year": (0, 3000), "runtime_minutes": (0, 100_000)}


def interactions_from_csv(
    path: str | Path,
    *,
    user: str = "user_id",
    item: str = "item_id",
    rating: str | None = None,
    timestamp: str | None = None,
    device: str | None = None,
    watch_seconds: str | None = None,
    rating_range: tuple[float, float] | None = None,
    users: str | Path | None = None,
    items: str | Path | None = None,
    names: Mapping[str, str] | None = None,
    users_columns: tuple[str, ...] = (),
    items_columns: tuple[str, ...] = (),
    options: TimedTableOptions | None = None,
) -> Interactions:
    """Read who met what; the arguments name columns, None where there is none.

    A timestamp is read as `options` say, within YEARS; `device` and `watch_seconds` may be empty
    in some rows. A rating outside of `rating_range` is refused; without one any number is taken.
    `users` and `items` are further files: `names` gives their columns whose name is not ours, such
    as {"text": "plot"}, and `users_columns`, `items_columns` all of them where there is no header.
    Repeated rows are kept and said, and so is an id that the other file lacks.
    """
    path, options = Path(path), options or TimedTableOptions()
    limits = _rating_range(rating_range)
    read = read_columns(
        path,
        {"user": user, "item": item, "rating": rating, "timestamp": timestamp}
        | {"device": device, "watch_seconds": watch_seconds},
        options,
        verbatim=("user", "item"),
        optional=("device", "watch_seconds"),
    )
    frame = _events(read, limits, options)
    names = names or {}
    _check_mapping(names, users, items)
    of_users = _Description("user", user, users, USER_COLUMNS, users_columns)
    of_items = _Description("item", item, items, ITEM_COLUMNS, items_columns)
    known_users, said_users = of_users.read(frame["user_id"], names, options)
    known_items, said_items = of_items.read(frame["item_id"], names, options)
    rows = _in_words(frame, known_users, known_items)
    said = [repeated(frame), *read.notes(), *said_users, *said_items]
    paths = [path, *(Path(other) for other in (users, items) if other)]
    source = file_source(paths, rows=rows, notice=" ".join(filter(None, said)) or None)
    return Interactions(source, frame, known_users, _completed(known_items))


def _in_words(frame: pl.DataFrame, users: pl.DataFrame, items: pl.DataFrame) -> str:
    """Say how much was read, and of which span of time, where there are times."""
    said = f"{frame.height:,} interactions, {users.height:,} users, {items.height:,} items"
    times = frame["timestamp"].drop_nulls()
    return f"{said}, {span_of(times)}" if len(times) else said


def _events(read: Columns, limits: tuple[float, float], options: TimedTableOptions) -> pl.DataFrame:
    """Convert the columns of the events; rating and timestamp are null where there is none."""
    columns = {"user_id": read.filled("user"), "item_id": read.filled("item")}
    unknown = pl.Series([None] * len(columns["user_id"]))
    low, high = limits
    columns["rating"] = read.numbers("rating", low=low, high=high) if "rating" in read else unknown
    known = "timestamp" in read
    columns["timestamp"] = read.seconds("timestamp", options, years=YEARS) if known else unknown
    if "device" in read:
        columns["device"] = read.optional("device")
    if "watch_seconds" in read:
        columns["watch_seconds"] = read.numbers("watch_seconds", optional=True)
    read.check()
    kinds = {"rating": pl.Float32, "timestamp": pl.Int64, "watch_seconds": pl.Float32}
    return pl.DataFrame(columns).cast({name: kinds[name] for name in columns if name in kinds})


def _rating_range(limits: tuple[float, float] | None) -> tuple[float, float]:
    """Check the range of ratings; without one any number is taken."""
    low, high = limits or (-1e9, 1e9)
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(
            f"rating_range: {low:g}, {high:g} is not a range. Give the lowest rating first."
        )
    return low, high


def _check_mapping(
    names: Mapping[str, str], users: str | Path | None, items: str | Path | None
) -> None:
    """Refuse a mapping that would have no effect."""
    for ours in names:
        if ours not in (*USER_COLUMNS, *ITEM_COLUMNS):
            known = ", ".join((*USER_COLUMNS, *ITEM_COLUMNS))
            raise ValueError(f"names: {ours!r} is not known. Choose from {known}.")
        needed, name = (users, "users") if ours in USER_COLUMNS else (items, "items")
        if needed is None:
            raise ValueError(f"names: {ours!r} is in a separate file. Give {name} too.")


@dataclass(frozen=True)
class _Description:
    """A file that tells of users or of items."""

    kind: str
    """user or item, which is also the argument that names the column of its id."""
    id_column: str
    path: str | Path | None
    known: tuple[str, ...]
    """What it may tell."""
    columns: tuple[str, ...]
    """All of its columns, where it has no header."""

    def read(
        self, met: pl.Series, names: Mapping[str, str], options: TableOptions
    ) -> tuple[pl.DataFrame, list[str]]:
        """Return a row for each id of the file, then of the events, and what must be said."""
        ids = pl.DataFrame({met.name: met.unique(maintain_order=True)})
        if self.path is None:
            return ids, []
        path = Path(self.path)
        table = read_table(
            path,
            TableOptions(
                delimiter=options.delimiter, columns=self.columns, encoding=options.encoding
            ),
            wanted={self.kind: self.id_column}
            | ({"title": "title"} if "title" in self.known else {}),
            columns_argument=f"{self.kind}s_columns",
        )
        has = table.frame.columns
        told = {ours: names.get(ours, ours) for ours in self.known}
        told = {ours: name for ours, name in told.items() if ours in names or name in has}
        read = Columns(
            table, {self.kind: self.id_column} | told, verbatim=(self.kind,), without_flag=told
        )
        if options.incomplete == "skip":
            read.skip_incomplete([self.kind])
        described = {met.name: read.unique(self.kind)}
        described |= {ours: _attribute(read, ours) for ours in told}
        read.check()
        frame = pl.DataFrame(described)
        lacking = ids.join(frame, on=met.name, how="anti", maintain_order="left")
        said = read.notes()
        if lacking.height:
            said.append(
                f"{lacking.height:,} of {ids.height:,} {self.id_column} of the events are not in "
                f"{path.name}; nothing else is known of them."
            )
        return pl.concat([frame, lacking], how="diagonal"), said


def _attribute(read: Columns, ours: str) -> pl.Series:
    """Convert one column by its meaning; what is empty becomes null, or no genres."""
    if ours in _RANGES:
        low, high = _RANGES[ours]
        numbers = read.numbers(ours, low=low, high=high, optional=True, whole=True)
        return numbers.cast(pl.Int32, strict=False)
    if ours == "genres":
        names = pl.element().str.strip_chars()
        split = read.texts[ours].str.split("|").list.eval(names.filter(names != ""))
        return split.list.unique(maintain_order=True)
    return read.optional(ours)


def _completed(items: pl.DataFrame) -> pl.DataFrame:
    """Add the columns that every table of items has; an item without title has its id for one."""
    for name, kind in (("title", pl.String), ("genres", pl.List(pl.String)), ("year", pl.Int32)):
        if name not in items.columns:
            items = items.with_columns(pl.lit(None, dtype=kind).alias(name))
    always = ["item_id", "title", "genres", "year"]
    return items.with_columns(
        pl.col("title").fill_null(pl.col("item_id")), pl.col("genres").fill_null([])
    ).select(*always, pl.exclude(always))
