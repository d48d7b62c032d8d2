"""Columns of a user's CSV file, converted or refused with the row and the value that is wrong.

Every column is read as text and converted here, so that an id of "007" stays one and a value that
does not convert can be named with its row. Rows are counted as in a spreadsheet: the header is row
1. A file ending in .tsv or .tab is split at tabs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from data.cache import sha256_of
from data.tables import Source

_TRUE = ("1", "1.0", "true", "yes")
_FALSE = ("0", "0.0", "false", "no")
_MISSING = ("", "nan", "null", "none")


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


def read_columns(
    path: Path, columns: Mapping[str, str | None], *, verbatim: Collection[str] = ()
) -> pl.DataFrame:
    """Read the named columns as text, under our names for them; those of None are left out.

    Space around a value is cut off, except in the columns `verbatim` (our names).
    """
    frame = read_text(path)
    for name in columns.values():
        if name is not None:
            check_column(path, frame, name)
    return frame.select(
        pl.col(name).alias(ours) if ours in verbatim else pl.col(name).str.strip_chars().alias(ours)
        for ours, name in columns.items()
        if name
    )


def read_text(path: Path) -> pl.DataFrame:
    """Read all columns as text, or say why the file cannot be read."""
    if not path.is_file():
        raise ValueError(f"{path}: no such file. Name an existing CSV file.")
    separator = "\t" if path.suffix in (".tsv", ".tab") else ","
    try:
        frame = pl.read_csv(path, infer_schema=False, separator=separator)
    except pl.exceptions.NoDataError as error:
        raise ValueError(f"{path}: the file is empty. It needs a header and rows.") from error
    except pl.exceptions.PolarsError as error:
        first = str(error).splitlines()[0]
        raise ValueError(
            f"{path}: not a readable CSV file ({first}). Save it as UTF-8 with one header row."
        ) from error
    if not frame.height:
        raise ValueError(f"{path}: a header but no rows. Add rows.")
    return frame


def check_column(path: Path, frame: pl.DataFrame, name: str) -> None:
    """Raise if the file has no such column."""
    if name not in frame.columns:
        raise ValueError(
            f"{path}: no column {name!r}; it has {', '.join(map(repr, frame.columns))}. Name "
            "the right one, or rename it in the file."
        )


def filled(
    path: Path, values: pl.Series, column: str, *, missing: tuple[str, ...] = _MISSING
) -> pl.Series:
    """Return the values, or raise for the first that is empty or NaN."""
    empty = values.is_null() | values.str.strip_chars().str.to_lowercase().is_in(list(missing))
    if empty.any():
        row = first_row(empty)
        what = f"it holds {values[row - 2]!r}; " if values[row - 2] else ""
        raise ValueError(
            f"{path}, row {row}: column {column!r} is empty ({what}{int(empty.sum()):,} such rows)."
            " Fill it in or remove the rows."
        )
    broken = values.str.contains("\0", literal=True)
    if broken.any():
        row = first_row(broken)
        raise ValueError(
            f"{path}, row {row}: column {column!r} holds a NUL character, which an id "
            "cannot contain. Remove it."
        )
    return values


def numbers(
    path: Path,
    values: pl.Series,
    column: str | None,
    *,
    low: float = 0.0,
    high: float = 1e9,
    optional: bool = False,
) -> pl.Series:
    """Convert to f64; what is empty, no number or outside low..high raises with its row.

    With `optional`, what is empty becomes null; NaN still raises.
    """
    assert column is not None
    if optional:
        values = values.set(values == "", None)
    else:
        filled(path, values, column)
    numbers = values.cast(pl.Float64, strict=False)
    wrong = values.is_not_null() & ~numbers.is_finite().fill_null(False)
    if wrong.any():
        row = first_row(wrong)
        raise ValueError(
            f"{path}, row {row}: column {column!r} holds {values[row - 2]!r}, not a number "
            f"({int(wrong.sum()):,} such rows). Correct or remove the rows."
        )
    wrong = ~numbers.is_between(low, high).fill_null(True)
    if wrong.any():
        row = first_row(wrong)
        raise ValueError(
            f"{path}, row {row}: column {column!r} holds {values[row - 2]!r}, outside {low:g} to "
            f"{high:g} ({int(wrong.sum()):,} such rows). Correct or remove the rows."
        )
    return numbers


def seconds(
    path: Path, values: pl.Series, column: str | None, *, years: tuple[int, int] = (1, 9999)
) -> pl.Series:
    """Convert seconds since 1970, or ISO dates taken as UTC, to i64 seconds.

    What is no time within `years`, both included, raises with its row.
    """
    assert column is not None
    filled(path, values, column)
    numbers = values.cast(pl.Float64, strict=False)
    dates = numbers.is_null()
    if dates.any():
        rows = range(2, len(values) + 2)
        moments = [
            _moment(path, row, value, column) if is_date else None
            for row, value, is_date in zip(rows, values, dates, strict=True)
        ]
        if not dates.all():
            row = first_row(~dates)
            raise ValueError(
                f"{path}, row {row}: column {column!r} holds {values[row - 2]!r}, and row "
                f"{first_row(dates)} an ISO date. Use seconds since 1970 or ISO dates in all rows."
            )
        numbers = pl.Series(moments, dtype=pl.Float64)
    low = datetime(years[0], 1, 1, tzinfo=UTC).timestamp()
    high = datetime(years[1], 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()
    wrong = ~numbers.is_between(low, high)  # true of NaN too
    if wrong.any():
        row = first_row(wrong)
        raise ValueError(
            f"{path}, row {row}: column {column!r} holds {values[row - 2]!r}, not a time from year "
            f"{years[0]} to {years[1]} in seconds since 1970. Divide milliseconds by 1000, or "
            "correct the row."
        )
    return numbers.floor().cast(pl.Int64)


def _moment(path: Path, row: int, value: str, column: str) -> float:
    """Return the seconds since 1970 of an ISO date."""
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise ValueError(
            f"{path}, row {row}: column {column!r} holds {value!r}, neither seconds since 1970 "
            "nor an ISO date such as 2024-05-31T12:00:00. Correct or remove the row."
        ) from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def flags(path: Path, values: pl.Series, column: str) -> pl.Series:
    """Convert 0/1, true/false or yes/no to i8."""
    lower = filled(path, values, column).str.to_lowercase()
    wrong = ~lower.is_in([*_TRUE, *_FALSE])
    if wrong.any():
        row = first_row(wrong)
        raise ValueError(
            f"{path}, row {row}: column {column!r} holds {values[row - 2]!r}; a label is 0 or 1. "
            "Correct or remove the row."
        )
    return lower.is_in(list(_TRUE)).cast(pl.Int8)


def numbered(values: pl.Series, name: str) -> tuple[pl.Series, pl.DataFrame]:
    """Number distinct values in order of first appearance; give the numbers and the names."""
    names = values.unique(maintain_order=True)
    table = pl.DataFrame({"name": names}).with_row_index(name).cast({name: pl.Int32})
    numbers = pl.DataFrame({"name": values}).join(
        table, on="name", how="left", maintain_order="left"
    )
    return numbers[name], table.select(name, "name")


def first_row(wrong: pl.Series) -> int:
    """Return the row, counted as in a spreadsheet, of the first that is true."""
    position = wrong.arg_max()
    assert position is not None
    return position + 2


def repeated(frame: pl.DataFrame) -> str | None:
    """Say how many rows are exact repetitions; None if no row is."""
    count = int(frame.height - frame.n_unique())
    return f"{count:,} rows repeat another exactly; they were kept." if count else None
