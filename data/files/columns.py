"""Columns of a user's table, converted, or refused with the row, the value and the flag that helps.

A reader names its columns by its own arguments, which are the flags of every pattern: the
argument `customer` is `--data.customer`. Each conversion keeps what is wrong in `faults` and gives
values that are not to be used; `check` then tells all faults at once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

import polars as pl

from common.own_files import TableOptions, TimedTableOptions
from data.cache import sha256_of
from data.files import dates
from data.files.amounts import to_numbers
from data.files.faults import Faults, flag
from data.files.headers import check_header, listed, no_columns
from data.files.reader import TextTable, read_table
from data.tables import Source

Name = str | tuple[str, ...]
"""The name of a column, or of several that are read as one."""
_TRUE = ("1", "1.0", "true", "yes")
_FALSE = ("0", "0.0", "false", "no")


def file_source(paths: list[Path] | tuple[Path, ...], *, rows: str, notice: str | None) -> Source:
    """Describe a table that came from the user's own files."""
    return Source(
        name=paths[0].resolve().name,
        origin="file",
        title=str(paths[0]),
        licence="the user's own",
        checksums={path.name: sha256_of(path) for path in paths if path.is_file()},
        rows=rows,
        notice=notice,
    )


class Columns:
    """The columns of one table under the arguments of the reader that names them.

    `used` are the names of all that are read.
    """

    def __init__(
        self,
        table: TextTable,
        names: Mapping[str, Name | None],
        *,
        verbatim: Collection[str] = (),
        without_flag: Collection[str] = (),
        alternative: str = "",
    ) -> None:
        """Find the columns; those of None are left out. All that are missing raise together.

        Several columns of one argument are read as one, with a space between. Space around a value
        is cut off, except in the columns of the arguments `verbatim`. The columns `without_flag`
        can be named by the reader alone. `alternative` says what else a flag of a missing column
        may be given.
        """
        self.table = table
        parts = {argument: parts_of(name) for argument, name in names.items() if name}
        self.names = {argument: " ".join(each) for argument, each in parts.items()}
        self.used = {name for each in parts.values() for name in each}
        self.faults = Faults(table.path)
        self.said = list(table.said)
        self.flags_of = {each: flag(each) for each in self.names if each not in without_flag}
        missing = {
            (argument, name): name
            for argument, each in parts.items()
            for name in each
            if name not in table.frame
        }
        if missing and table.headed:
            proposed = table.wanted or self.names
            check_header(table.path, table.frame, proposed, table.columns_argument)
        if missing:
            argument = table.columns_argument if table.headed else None
            has = table.frame.columns
            flags = {each: self.flags_of.get(each[0]) for each in missing}
            raise no_columns(table.path, has, missing, flags, argument, alternative)
        self.said += _named_twice(self.names)
        self.texts = {
            argument: table.frame[each[0]] if argument in verbatim else _joined(table.frame, each)
            for argument, each in parts.items()
        }

    def __contains__(self, argument: str) -> bool:
        return argument in self.names

    def skip_incomplete(self, needed: list[str]) -> None:
        """Leave out the rows in which a column of the arguments `needed` is empty; say how many."""
        blank = {each: self.texts[each].str.strip_chars() == "" for each in needed}
        counts = [
            f"{self.names[each]!r} ({int(rows.sum()):,})"
            for each, rows in blank.items()
            if rows.any()
        ]
        if not counts:
            return
        empty = pl.DataFrame(blank).select(pl.any_horizontal(pl.all())).to_series()
        self.skip(empty, f"an empty {' or '.join(counts)}")

    def skip(self, left_out: pl.Series, why: str) -> None:
        """Leave out the rows where `left_out` is true, unless these are all; say how many."""
        kept, skipped = ~left_out, int(left_out.sum())
        if not skipped or not kept.any():
            return
        rows_were = "1 row was" if skipped == 1 else f"{skipped:,} rows were"
        self.said.append(f"{rows_were} skipped for {why}.")
        frame, rows = self.table.frame.filter(kept), self.table.rows[kept.to_numpy()]
        self.table = replace(self.table, frame=frame, rows=rows)
        self.texts = {each: values.filter(kept) for each, values in self.texts.items()}

    def check(self) -> None:
        """Raise if anything was wrong."""
        self.faults.check()

    def notes(self) -> list[str]:
        """Say how the file was read, where that is not plain, and which columns were not used."""
        unused = [name for name in self.table.frame.columns if name not in self.used]
        said = f"Columns of {self.table.path.name} that are not used: {listed(unused)}."
        return [*self.said, said] if unused else list(self.said)

    def fault(self, argument: str, wrong: pl.Series, text: str) -> None:
        """Keep the fault of the first row where `wrong` is true, if there is any."""
        count = int(wrong.sum())
        if count:
            place = wrong.arg_max()
            assert place is not None
            rows = f" ({count:,} such rows)" if count > 1 else ""
            self.fault_at(argument, place, f"{text}{rows}. Correct it")

    def fault_at(self, argument: str, place: int, text: str) -> None:
        """Keep the fault of the value at `place` in the frame."""
        value = self.texts[argument][place]
        shown = value if len(value) <= 60 else value[:57] + "..."
        held = f"column {self.names[argument]!r} holds {shown!r}, {text}"
        self.faults.add(int(self.table.rows[place]), held + self._remedy(argument))

    def _remedy(self, argument: str) -> str:
        """End a sentence with the flag that names another column, if there is one."""
        named = argument in self.flags_of
        return f", or name another column by {self.flags_of[argument]}." if named else "."

    def filled(self, argument: str) -> pl.Series:
        """Return the texts; an empty one, or one of spaces alone, is a fault."""
        values = self.texts[argument]
        empty = values.str.strip_chars() == ""
        if empty.any():
            place = empty.arg_max()
            assert place is not None
            count = int(empty.sum())
            rows, which = (f" ({count:,} such rows)", "rows") if count > 1 else ("", "row")
            self.faults.add(
                int(self.table.rows[place]),
                f"column {self.names[argument]!r} is empty{rows}. Fill it in, skip the {which} by "
                f"{flag('incomplete')} skip{self._remedy(argument)}",
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
        numbers, how = to_numbers(values)
        no_number = values.is_not_null() & ~numbers.is_finite().fill_null(False)
        self.fault(argument, no_number, "not a number")
        outside = ~numbers.is_between(low, high).fill_null(True) & ~no_number
        self.fault(argument, outside, f"outside {low:g} to {high:g}")
        if whole:
            broken = (numbers != numbers.floor()).fill_null(False) & ~no_number
            self.fault(argument, broken, "not a whole number")
        if how is not None:
            self.said.append(f"Numbers in column {self.names[argument]!r} were read {how}.")
        return numbers

    def seconds(
        self, argument: str, options: TimedTableOptions, *, years: tuple[int, int] = dates.YEARS
    ) -> pl.Series:
        """Convert times to i64 seconds since 1970, as `dates` reads them."""
        values = self.filled(argument)
        if (values == "").any():
            return pl.Series([None] * len(values), dtype=pl.Int64)
        times = dates.to_seconds(values, options, years=years)
        if times.fault is not None:
            place, text = times.fault
            self.fault_at(argument, place, text)
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


def parts_of(name: Name) -> tuple[str, ...]:
    """Return the names of the columns that are read as one."""
    return (name,) if isinstance(name, str) else tuple(name)


def _joined(frame: pl.DataFrame, names: tuple[str, ...]) -> pl.Series:
    """Return one text of several columns, with a space between."""
    texts = frame.select(pl.concat_str(pl.col(list(names)).str.strip_chars(), separator=" "))
    return texts.to_series().str.strip_chars()


def _named_twice(names: Mapping[str, str]) -> list[str]:
    """Say which columns several arguments name."""
    by_name: dict[str, list[str]] = {}
    for argument, name in names.items():
        by_name.setdefault(name, []).append(argument)
    return [
        f"Column {name!r} is read as {' and as '.join(arguments)}."
        for name, arguments in by_name.items()
        if len(arguments) > 1
    ]


def read_columns(
    path: Path,
    names: Mapping[str, Name | None],
    options: TableOptions,
    *,
    verbatim: Collection[str] = (),
    optional: Collection[str] = (),
    alternative: str = "",
) -> Columns:
    """Read the columns `names`, which are given by argument, of a file.

    Those of the arguments `optional` may be empty in some rows.
    """
    wanted = {argument: parts_of(name)[0] for argument, name in names.items() if name}
    table = read_table(path, options, wanted=wanted)
    read = Columns(table, names, verbatim=verbatim, alternative=alternative)
    if options.incomplete == "skip":
        read.skip_incomplete([each for each in read.names if each not in optional])
    return read


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
