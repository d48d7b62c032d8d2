"""How a user's own files are written and laid out, for every pattern that reads them.

What is plain from a file or folder is found there; these options say what is not. A reader in
`data.files` takes them as one object, and a pattern's `DataOptions` inherits them, so the flags are
the same everywhere: `--data.delimiter`, `--data.columns`, `--data.train` and so on.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
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


@dataclass(frozen=True, kw_only=True)
class PartOptions:
    """Your own split of images, and which of them belong together."""

    train: Path | None = None
    """Training part by hand: a folder of its own, or a list of its images, a name a line."""
    valid: Path | None = None
    """The same of the validation part."""
    test: Path | None = None
    """The same of the test part."""
    group: str | None = None
    """What keeps images that belong together, as the frames of a film, in one part: `prefix` for
    the name before its number, or a regular expression whose first bracket is the group."""

    @property
    def by_part(self) -> dict[str, Path]:
        """Return the parts that are given."""
        parts = {"train": self.train, "valid": self.valid, "test": self.test}
        return {part: path for part, path in parts.items() if path is not None}


@dataclass(frozen=True, kw_only=True)
class FolderOptions(PartOptions):
    """Your own folders of images and of their labels, where their names do not tell them."""

    images: Path | None = None
    """Folder of the images, if it has none of the usual names."""
    labels: Path | None = None
    """Folder of their labels (.xml, .json, .txt or masks), if it has none of the usual names."""
