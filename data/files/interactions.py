"""Interactions out of a user's CSV files: events, and what is known of users and items.

The events are one file. Two more may tell of users and items; each has one row an id, in a column
named as in the events. What they say is optional, column by column and cell by cell:

    users   age (years), gender, occupation
    items   title, genres (separated by "|"), year, text, runtime_minutes

Ids are kept byte for byte: no case folding, no normal form, no trimming.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from data.files.columns import (
    check_column,
    file_source,
    filled,
    first_row,
    numbers,
    read_columns,
    read_text,
    repeated,
    seconds,
)
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
    users_path: str | Path | None = None,
    items_path: str | Path | None = None,
    columns: Mapping[str, str] | None = None,
) -> Interactions:
    """Read who met what; the names are those of columns, or None where there is none.

    A timestamp is seconds since 1970 or an ISO date, within YEARS; `device` and `watch_seconds` may
    be empty in some rows. A rating outside of `rating_range` is refused; without a range any number
    is taken. `columns` gives the names in the other files where they are not ours, such as
    {"text": "plot"}. Repeated rows are kept and said, and so is an id that the other file lacks.
    """
    path = Path(path)
    names = {"user_id": user, "item_id": item, "rating": rating, "timestamp": timestamp}
    names |= {"device": device, "watch_seconds": watch_seconds}
    raw = read_columns(path, names, verbatim=("user_id", "item_id"))
    frame = pl.DataFrame(
        {
            "user_id": filled(path, raw["user_id"], user),
            "item_id": filled(path, raw["item_id"], item),
            "rating": _ratings(path, raw, rating, rating_range),
            "timestamp": _times(path, raw, timestamp),
        }
    )
    if device:
        frame = frame.with_columns(raw["device"].replace("", None))
    if watch_seconds:
        watched = numbers(path, raw["watch_seconds"], watch_seconds, optional=True)
        frame = frame.with_columns(watched.cast(pl.Float32))
    columns = columns or {}
    _check_mapping(columns, users_path, items_path)
    users, new_users = _described(frame["user_id"], users_path, user, USER_COLUMNS, columns)
    items, new_items = _described(frame["item_id"], items_path, item, ITEM_COLUMNS, columns)
    rows = f"{frame.height:,} interactions, {users.height:,} users, {items.height:,} items"
    said = [repeated(frame), new_users, new_items]
    paths = [path, *(Path(other) for other in (users_path, items_path) if other)]
    source = file_source(paths, rows=rows, notice=" ".join(filter(None, said)) or None)
    return Interactions(source, frame, users, _completed(items))


def _ratings(
    path: Path, raw: pl.DataFrame, column: str | None, limits: tuple[float, float] | None
) -> pl.Series:
    """Convert ratings to f32; null where there is no column of them."""
    if column is None:
        return pl.Series([None] * raw.height, dtype=pl.Float32)
    low, high = limits or (-1e9, 1e9)
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(
            f"rating_range: {low:g}, {high:g} is not a range. Give the lowest rating first."
        )
    return numbers(path, raw["rating"], column, low=low, high=high).cast(pl.Float32)


def _times(path: Path, raw: pl.DataFrame, column: str | None) -> pl.Series:
    """Convert times to i64 seconds; null where there is no column of them."""
    if column is None:
        return pl.Series([None] * raw.height, dtype=pl.Int64)
    return seconds(path, raw["timestamp"], column, years=YEARS)


def _check_mapping(
    columns: Mapping[str, str], users_path: str | Path | None, items_path: str | Path | None
) -> None:
    """Refuse a mapping that would have no effect."""
    for ours in columns:
        if ours not in (*USER_COLUMNS, *ITEM_COLUMNS):
            known = ", ".join((*USER_COLUMNS, *ITEM_COLUMNS))
            raise ValueError(f"columns: {ours!r} is not known. Choose from {known}.")
        needed, name = (
            (users_path, "users_path") if ours in USER_COLUMNS else (items_path, "items_path")
        )
        if needed is None:
            raise ValueError(f"columns: {ours!r} is in a separate file. Give {name} too.")


def _described(
    met: pl.Series,
    path: str | Path | None,
    id_column: str,
    known: tuple[str, ...],
    columns: Mapping[str, str],
) -> tuple[pl.DataFrame, str | None]:
    """Return a row for each id of the file, then of the events, and a notice of those it lacks."""
    ids = pl.DataFrame({met.name: met.unique(maintain_order=True)})
    if path is None:
        return ids, None
    path = Path(path)
    text = read_text(path)
    check_column(path, text, id_column)
    described = {met.name: _unique(path, filled(path, text[id_column], id_column), id_column)}
    for ours in known:
        name = columns.get(ours, ours)
        if ours in columns:
            check_column(path, text, name)
        if name in text.columns:
            described[ours] = _attribute(path, text[name].str.strip_chars(), name, ours)
    frame = pl.DataFrame(described)
    lacking = ids.join(frame, on=met.name, how="anti", maintain_order="left")
    notice = (
        f"{lacking.height:,} of {ids.height:,} {id_column} of the events are not in {path.name}; "
        "nothing else is known of them."
        if lacking.height
        else None
    )
    return pl.concat([frame, lacking], how="diagonal"), notice


def _unique(path: Path, ids: pl.Series, column: str) -> pl.Series:
    """Return the ids, or raise for the first that stands twice."""
    again = ~ids.is_first_distinct()
    if again.any():
        row = first_row(again)
        raise ValueError(
            f"{path}, row {row}: column {column!r} holds {ids[row - 2]!r}, as row "
            f"{first_row(ids == ids[row - 2])} does. Keep one row per id."
        )
    return ids


def _attribute(path: Path, values: pl.Series, column: str, ours: str) -> pl.Series:
    """Convert one column by its meaning; what is empty becomes null, or no genres."""
    if ours in _RANGES:
        low, high = _RANGES[ours]
        found = numbers(path, values, column, low=low, high=high, optional=True)
        broken = (found != found.floor()).fill_null(False)
        if broken.any():
            row = first_row(broken)
            raise ValueError(
                f"{path}, row {row}: column {column!r} holds {values[row - 2]!r}, not a whole "
                "number. Correct the row."
            )
        return found.cast(pl.Int32)
    if ours == "genres":
        names = pl.element().str.strip_chars()
        split = values.fill_null("").str.split("|").list.eval(names.filter(names != ""))
        return split.list.unique(maintain_order=True)
    return values.replace("", None)


def _completed(items: pl.DataFrame) -> pl.DataFrame:
    """Add the columns that every table of items has; an item without title has its id for one."""
    for name, kind in (("title", pl.String), ("genres", pl.List(pl.String)), ("year", pl.Int32)):
        if name not in items.columns:
            items = items.with_columns(pl.lit(None, dtype=kind).alias(name))
    always = ["item_id", "title", "genres", "year"]
    return items.with_columns(
        pl.col("title").fill_null(pl.col("item_id")), pl.col("genres").fill_null([])
    ).select(*always, pl.exclude(always))
