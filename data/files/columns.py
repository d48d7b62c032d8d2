"""Columns of a user's table, converted, or refused with the row, the value and the flag that helps.

A reader names its columns by its own arguments, which are the flags of every pattern: the
argument `customer` is `--data.customer`. Each conversion keeps what is wrong in `faults` and gives
values that are not to be used; `check` then tells all faults at once.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from pathlib import Path

import polars as pl

from common.own_files import TableOptions, TimedTableOptions
from data.cache import sha256_of
from data.files import dates
from data.files.faults import Faults, flag
from data.files.reader import TextTable, looks_like_data, no_header, read_table
from data.tables import Source

_TRUE = ("1", "1.0", "true", "yes")
_FALSE = ("0", "0.0", "false", "no")
_MOST_NAMES = 12


def file_source(paths: list[Path] | tuple[Path, ...], *, rows: str, notice: str | None) -> Source:
    """Describe a table that came from the user's own files."""
    return Source(
        name=paths[0].name,
        origin="file",
        title=str(paths[0]),
        licence="the user's own",
        checksums={path.name: sha256_of(path) for path in paths if path.is_file()},
        rows=rows,
        notice=notice,
    )


class Columns:
    """The columns of one table under the arguments of the reader that names them."""

    def __init__(
        self,
        table: TextTable,
        names: Mapping[str, str | None],
        *,
        verbatim: Collection[str] = (),
        remedy: str = "",
    ) -> None:
        """Find the columns; those of None are left out. All that are missing raise together.

        Space around a value is cut off, except in the columns of the arguments `verbatim`. `remedy`
        says what else helps where a column is missing.
        """
        self.table = table
        self.names = {argument: name for argument, name in names.items() if name is not None}
        self.faults = Faults(table.path)
        self.said = list(table.said)
        _check_names(table, self.names, remedy)
        self.texts = {
            argument: table.frame[name]
            if argument in verbatim
            else table.frame[name].str.strip_chars()
            for argument, name in self.names.items()
        }

    def __contains__(self, argument: str) -> bool:
        return argument in self.names

    def check(self) -> None:
        """Raise if anything was wrong."""
        self.faults.check()

    def notes(self) -> list[str]:
        """Say how the file was read, where that is not plain, and which columns were not used."""
        unused = [name for name in self.table.frame.columns if name not in self.names.values()]
        said = f"Columns of {self.table.path.name} that are not used: {_listed(unused)}."
        return [*self.said, said] if unused else list(self.said)

    def fault(self, argument: str, wrong: pl.Series, text: str) -> None:
        """Keep the fault of the first row where `wrong` is true, if there is any."""
        count = int(wrong.sum())
        if count:
            place = wrong.arg_max()
            assert place is not None
            rows = f" ({count:,} such rows)" if count > 1 else ""
            self.fault_at(argument, place, f"{text}{rows}. Correct it, or name another column")

    def fault_at(self, argument: str, place: int, text: str) -> None:
        """Keep the fault of the value at `place` in the frame."""
        value = self.texts[argument][place]
        shown = value if len(value) <= 60 else value[:57] + "..."
        held = f"column {self.names[argument]!r} holds {shown!r}, {text}"
        self.faults.add(int(self.table.rows[place]), f"{held} by {flag(argument)}.")

    def filled(self, argument: str) -> pl.Series:
        """Return the texts; an empty one, or one of spaces alone, is a fault."""
        values = self.texts[argument]
        empty = values.str.strip_chars() == ""
        if empty.any():
            place = empty.arg_max()
            assert place is not None
            self.faults.add(
                int(self.table.rows[place]),
                f"column {self.names[argument]!r} is empty ({int(empty.sum()):,} such rows). "
                f"Fill it in, remove the rows, or name another column by {flag(argument)}.",
            )
        return values

    def optional(self, argument: str) -> pl.Series:
        """Return the texts, null where they are empty."""
        return self.texts[argument].replace("", None)

    def numbers(
        self,
        argument: str,
        *,
        low: float = 0.0,
        high: float = 1e9,
        optional: bool = False,
        whole: bool = False,
    ) -> pl.Series:
        """Convert to f64; what is empty, no number, outside low..high or not `whole` is a fault.

        With `optional`, what is empty becomes null; NaN is still a fault.
        """
        values = self.optional(argument) if optional else self.filled(argument).replace("", None)
        numbers = values.cast(pl.Float64, strict=False)
        no_number = values.is_not_null() & ~numbers.is_finite().fill_null(False)
        self.fault(argument, no_number, "not a number")
        outside = ~numbers.is_between(low, high).fill_null(True) & ~no_number
        self.fault(argument, outside, f"outside {low:g} to {high:g}")
        if whole:
            broken = (numbers != numbers.floor()).fill_null(False) & ~no_number
            self.fault(argument, broken, "not a whole number")
        return numbers

    def seconds(
        self, argument: str, options: TimedTableOptions, *, years: tuple[int, int] = (1, 9999)
    ) -> pl.Series:
        """Convert times to i64 seconds since 1970, as `dates` reads them."""
        values = self.filled(argument)
        if (values == "").any():
            return pl.Series([None] * len(values), dtype=pl.Int64)
        times = dates.to_seconds(values, options, years=years)
        if times.fault is not None:
            place, text = times.fault
            self.fault_at(argument, place, f"{text}, or name another column")
        else:
            self.said += filter(
                None, [times.said, dates.tiny_span(times.seconds, self.names[argument])]
            )
        return times.seconds

    def flags(self, argument: str) -> pl.Series:
        """Convert 0/1, true/false or yes/no to i8."""
        lower = self.filled(argument).str.to_lowercase()
        self.fault(
            argument,
            ~lower.is_in([*_TRUE, *_FALSE]) & (lower != ""),
            "and a label is 0 or 1 (or true or false, yes or no)",
        )
        return lower.is_in(list(_TRUE)).cast(pl.Int8)

    def unique(self, argument: str) -> pl.Series:
        """Return the texts, none empty; one that stands twice is a fault."""
        values = self.filled(argument)
        again = ~values.is_first_distinct() & (values != "")
        if again.any():
            place = again.arg_max()
            assert place is not None
            first = int(self.table.rows[int((values == values[place]).arg_max() or 0)])
            self.faults.add(
                int(self.table.rows[place]),
                f"column {self.names[argument]!r} holds {values[place]!r}, as row {first} does. "
                "Keep one row per id.",
            )
        return values


def read_columns(
    path: Path,
    names: Mapping[str, str | None],
    options: TableOptions,
    *,
    verbatim: Collection[str] = (),
    remedy: str = "",
) -> Columns:
    """Read the columns `names`, which are given by argument, of a file."""
    example = tuple(name for name in names.values() if name is not None)
    table = read_table(path, options, example=example)
    return Columns(table, names, verbatim=verbatim, remedy=remedy)


def _check_names(table: TextTable, names: Mapping[str, str], also: str) -> None:
    """Raise for all columns that are missing, with what may be meant."""
    has = table.frame.columns
    missing = {argument: name for argument, name in names.items() if name not in has}
    if not missing:
        return
    if table.headed and looks_like_data(table):
        raise no_header(table.path, has, tuple(names.values()))
    said = [
        f"no column {name!r}{_meant(name, has)} ({flag(argument)})"
        for argument, name in missing.items()
    ]
    remedy = f"give the name of each by the flag behind it{also}. If row 1 is no header, give "
    raise ValueError(
        f"{table.path}: {'; '.join(said)}. It has {_listed(has)}; {remedy}{flag('columns')}."
    )


def _meant(name: str, has: list[str]) -> str:
    """Return a guess at which column is meant."""
    plain = {each.casefold(): each for each in has}
    near = difflib.get_close_matches(name.casefold(), plain, n=1, cutoff=0.6)
    parts = [each for low, each in plain.items() if low in name.casefold().split("_")]
    guess = plain[near[0]] if near else next(iter(parts), None)
    return "" if guess is None else f", did you mean {guess!r}?"


def _listed(names: list[str]) -> str:
    more = len(names) - _MOST_NAMES
    return ", ".join(map(repr, names[:_MOST_NAMES])) + (f" and {more} more" if more > 0 else "")


def numbered(values: pl.Series, name: str) -> tuple[pl.Series, pl.DataFrame]:
    """Number distinct values in order of first appearance; give the numbers and the names."""
    names = values.unique(maintain_order=True)
    table = pl.DataFrame({"name": names}).with_row_index(name).cast({name: pl.Int32})
    numbers = pl.DataFrame({"name": values}).join(
        table, on="name", how="left", maintain_order="left"
    )
    return numbers[name], table.select(name, "name")


def repeated(frame: pl.DataFrame) -> str | None:
    """Say how many rows are exact repetitions; None if no row is."""
    count = int(frame.height - frame.n_unique())
    return f"{count:,} rows repeat another exactly; they were kept." if count else None
