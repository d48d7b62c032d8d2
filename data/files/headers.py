"""The names of a table's columns: as the header says, or as given where there is none."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from data.files.cells import counted
from data.files.faults import flag

_MOST_NAMES = 12
_TIME = re.compile(r"\s*(\d{4}-\d\d?-\d\d?.*|\d\d?[/.]\d\d?[/.]\d{2,4}.*|\d{9,13}(\.\d+)?)\s*")


def given_names(path: Path, first: list[str], columns: tuple[str, ...], argument: str) -> list[str]:
    """Return the names given for a file without a header: one for each cell of row 1."""
    names = split_names(columns)
    if len(names) != len(first):
        raise ValueError(
            f"{path}: {len(names)} names of columns were given, row 1 has {counted(len(first))}: "
            f"{listed(first)}. Give one name for each by {flag(argument)}, or another "
            f"{flag('delimiter')}."
        )
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(
            f"{argument}: {twice!r} stands twice; give {flag(argument)} each name once"
        )
    if any(cell.strip() == name for cell, name in zip(first, names, strict=True)):
        raise ValueError(
            f"{path}: row 1 is a header: {listed(first)}. Leave out {flag(argument)}, and name the "
            "columns by their own flags."
        )
    return names


def split_names(columns: tuple[str, ...]) -> list[str]:
    """Return the names that were given with spaces or with commas between them."""
    return [name.strip() for given in columns for name in given.split(",")]


def header_names(
    path: Path, cells: list[str], wanted: Mapping[str, str], argument: str
) -> list[str]:
    """Return the names in row 1; one that is empty becomes "column 3", a repeated one raises."""
    names = [cell.strip() or f"column {place}" for place, cell in enumerate(cells, start=1)]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None and _is_number(twice):
        raise _no_header(path, cells, wanted, argument)
    if twice is not None:
        places = [place for place, name in enumerate(names, start=1) if name == twice]
        raise ValueError(
            f"{path}, row 1: the header names column {twice!r} twice, as columns {places[0]} and "
            f"{places[1]}. Rename one of them in the file."
        )
    return names


def check_header(path: Path, frame: pl.DataFrame, wanted: Mapping[str, str], argument: str) -> None:
    """Raise if the header looks like a row: a number, a long text, or a value that recurs."""
    start = frame.head(1000)
    if any(
        _is_number(name) or len(name) > 60 or bool((start[name].str.strip_chars() == name).any())
        for name in frame.columns
    ):
        raise _no_header(path, frame.columns, wanted, argument, start)


def no_columns(
    path: Path,
    has: list[str],
    missing: Mapping[str, str],
    flags: Mapping[str, str],
    argument: str | None,
    alternative: str = "",
) -> ValueError:
    """Return the error for the columns `missing`, by argument, with what may be meant.

    `flags` are those of the arguments that have one; `argument` is the one that names the columns
    of a file without a header, None if it was given.
    """
    said = [
        f"no column {name!r}{_meant(name, has)}" + (f" ({flags[key]})" if key in flags else "")
        for key, name in missing.items()
    ]
    text = f"{path}: {'; '.join(said)}. It has {listed(has)}"
    if any(key in flags for key in missing):
        text += f"; name each by the flag behind it{alternative}"
    text += "." if argument is None else f". If row 1 is no header, give {flag(argument)}."
    if len(has) == 1:
        text += f" If there are several columns, give another {flag('delimiter')}."
    return ValueError(text)


def _no_header(
    path: Path,
    cells: list[str],
    wanted: Mapping[str, str],
    argument: str,
    rows: pl.DataFrame | None = None,
) -> ValueError:
    """Return the error for a file whose first row is data; `rows` are some of those below it."""
    return ValueError(
        f"{path}: row 1 looks like data, not like a header: {listed(cells)}. Name the columns in "
        f"their order, such as {flag(argument)} {' '.join(_example(cells, wanted, rows))}"
    )


def _example(
    cells: list[str], wanted: Mapping[str, str], rows: pl.DataFrame | None = None
) -> list[str]:
    """Guess the names of the columns: the text is the longest cell of row 1, a time looks so.

    The label is the column whose values recur the most, none of them empty.
    """
    left = dict(wanted)
    names: list[str | None] = [None] * len(cells)
    if "text" in left and "label" in left:
        longest = max(range(len(cells)), key=lambda place: len(cells[place]))
        names[longest] = left.pop("text")
        if rows is not None and (place := _most_recurring(rows, longest)) is not None:
            names[place] = left.pop("label")
    times = [place for place, cell in enumerate(cells) if _TIME.fullmatch(cell)]
    for argument in ("time", "timestamp"):
        if times and argument in left:
            names[times[-1]] = left.pop(argument)
    rest = iter(left.values())
    return [name or next(rest, f"other_{place}") for place, name in enumerate(names, start=1)]


def _most_recurring(rows: pl.DataFrame, but: int) -> int | None:
    """Return the place of the column with the fewest values, of those with two or more."""
    counts = {
        place: values.n_unique()
        for place, values in enumerate(rows.iter_columns())
        if place != but and not (values.str.strip_chars() == "").any() and values.n_unique() > 1
    }
    return min(counts, key=lambda place: counts[place], default=None)


def _meant(name: str, has: list[str]) -> str:
    """Return a guess at which column is meant."""
    plain = {each.casefold(): each for each in has}
    near = difflib.get_close_matches(name.casefold(), plain, n=1, cutoff=0.6)
    parts = [each for low, each in plain.items() if low in name.casefold().split("_")]
    guess = plain[near[0]] if near else next(iter(parts), None)
    return "" if guess is None else f", did you mean {guess!r}?"


def _is_number(text: str) -> bool:
    return re.fullmatch(r"\s*[-+]?[\d.,:/ -]*\d\s*", text) is not None


def listed(names: list[str]) -> str:
    """Return names in quotation marks, the first of many and how many more."""
    shown = [repr(name if len(name) <= 40 else name[:37] + "...") for name in names[:_MOST_NAMES]]
    more = len(names) - _MOST_NAMES
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")
