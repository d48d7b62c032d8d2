"""How a user's own table is written, for every pattern that reads one.

What is plain from the file is found there; these options say what is not. A reader in `data.files`
takes them as one object, and a pattern's `DataOptions` inherits them, so the flags are the same
everywhere: `--data.delimiter`, `--data.columns` and so on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

TimeUnit = Literal["auto", "seconds", "milliseconds", "minutes", "hours", "days", "excel"]


@dataclass(frozen=True, kw_only=True)
class TableOptions:
    """How the rows of your own tables are written; what is left out is found in the file."""

    delimiter: str = "auto"
    """What stands between two cells of all tables: auto, comma, semicolon, tab, pipe, space, or the
    characters themselves, such as ::"""
    columns: tuple[str, ...] = ()
    """Names of all columns in their order, for a file without a header row."""
    encoding: str = "auto"
    """Encoding of the text, such as utf-8, cp1252 or utf-16."""
    incomplete: Literal["refuse", "skip"] = "refuse"
    """Rows with an empty cell in a column that is needed, or with a count that is not above 0:
    refuse the file, or skip them and say how many."""


@dataclass(frozen=True, kw_only=True)
class TimedTableOptions(TableOptions):
    """The same of tables with a column of times."""

    date_format: str | None = None
    """How dates are written if not as 2024-05-31, such as %d/%m/%Y or "%d.%m.%Y %H:%M"."""
    time_unit: TimeUnit = "auto"
    """What a time that is a number counts: seconds, milliseconds, minutes, hours or days since any
    moment, or excel for Excel's dates; auto takes seconds or milliseconds since 1970."""
