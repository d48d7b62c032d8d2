"""What a user's tables tell of users and of items: one row an id, whatever columns there are.

    users   age (years), gender, occupation
    items   title, genres (separated by "|"), year, text, runtime_minutes

A column is found by its name, in any case ("Age", "Runtime-Minutes"), or named by the reader. What
is not known of an id stays empty: a number outside of what is possible, such as an age of 239, and
the words that databases write for nothing, such as NULL.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from common.own_files import TableOptions
from data.files.columns import Columns
from data.files.faults import flag
from data.files.further import NO_NUMBER
from data.files.reader import TextTable, read_table

USER_COLUMNS = ("age", "gender", "occupation")
ITEM_COLUMNS = ("title", "genres", "year", "text", "runtime_minutes")
# lowest, highest value of the columns that are whole numbers
_RANGES = {"age": (0, 150), "year": (1, 3000), "runtime_minutes": (0, 100_000)}
_NO_GENRES = ("", "(no genres listed)")  # the latter is MovieLens' word for none


def check_names(
    names: Mapping[str, str], users: str | Path | None, items: str | Path | None
) -> None:
    """Refuse names of columns that would have no effect."""
    for ours in names:
        if ours not in (*USER_COLUMNS, *ITEM_COLUMNS):
            known = ", ".join((*USER_COLUMNS, *ITEM_COLUMNS))
            raise ValueError(f"names: {ours!r} is not known. Choose from {known}.")
        needed, name = (users, "users") if ours in USER_COLUMNS else (items, "items")
        if needed is None:
            raise ValueError(
                f"names: {ours!r} is in a separate file. Give {flag(name)} too, the file that"
                " holds it."
            )


@dataclass(frozen=True)
class Description:
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
        table = self._table(Path(self.path), options)
        told = self._told(table.frame.columns, names)
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
                f"{table.path.name}; nothing else is known of them."
            )
        return pl.concat([frame, lacking], how="diagonal"), said

    def _table(self, path: Path, options: TableOptions) -> TextTable:
        return read_table(
            path,
            TableOptions(
                delimiter=options.delimiter, columns=self.columns, encoding=options.encoding
            ),
            wanted={self.kind: self.id_column}
            | ({"title": "title"} if "title" in self.known else {}),
            columns_argument=f"{self.kind}s_columns",
        )

    def _told(self, has: list[str], names: Mapping[str, str]) -> dict[str, str]:
        """Return the columns of the file by what they tell."""
        plain = {name.casefold().replace("-", "_").replace(" ", "_"): name for name in has}
        found = {ours: ours if ours in has else plain.get(ours) for ours in self.known}
        return {
            ours: names.get(ours, name or ours)
            for ours, name in found.items()
            if ours in names or name is not None
        }


def _attribute(read: Columns, ours: str) -> pl.Series:
    """Convert one column by its meaning; what is empty becomes null, or no genres."""
    if ours in _RANGES:
        return _whole_number(read, ours)
    if ours == "genres":
        names = pl.element().str.strip_chars()
        split = read.texts[ours].str.split("|").list.eval(names.filter(~names.is_in(_NO_GENRES)))
        return split.list.unique(maintain_order=True)
    return read.optional(ours)


def _whole_number(read: Columns, ours: str) -> pl.Series:
    """Convert a column to i32; what is outside of its range is not known, and said."""
    nothing = read.texts[ours].str.to_lowercase().is_in(list(NO_NUMBER))
    read.texts[ours] = read.texts[ours].set(nothing, "")
    numbers = read.numbers(ours, low=-1e9, optional=True, whole=True)
    low, high = _RANGES[ours]
    outside = (~numbers.is_between(low, high)).fill_null(False)
    if outside.any():
        place = int(outside.arg_max() or 0)
        count = int(outside.sum())
        rows = f"{count:,} values are" if count > 1 else "1 value is"
        read.said.append(
            f"{read.table.path.name}: {rows} outside {low} to {high:,} in column"
            f" {read.names[ours]!r} and not known (row {read.table.rows[place]}:"
            f" {read.texts[ours][place]})."
        )
    return numbers.set(outside, None).cast(pl.Int32, strict=False)


def completed(items: pl.DataFrame) -> pl.DataFrame:
    """Add the columns that every table of items has; an item without title has its id for one."""
    for name, kind in (("title", pl.String), ("genres", pl.List(pl.String)), ("year", pl.Int32)):
        if name not in items.columns:
            items = items.with_columns(pl.lit(None, dtype=kind).alias(name))
    always = ["item_id", "title", "genres", "year"]
    return items.with_columns(
        pl.col("title").fill_null(pl.col("item_id")), pl.col("genres").fill_null([])
    ).select(*always, pl.exclude(always))
