"""The names of a table's columns: as the header says, or as given where there is none."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from data.files.cells import counted
from data.files.faults import flag

_MOST_NAMES = 12
_RATING = r"[1-9](\.\d+)?|0\.5|10(\.0+)?"
_TIME = re.compile(
    r"\s*(\d{4}-\d\d?-\d\d?.*|\d\d?[/.]\d\d?[/.]\d{2,4}.*"
    r"|([7-9]\d{8}|1\d{9}|1\d{12})(\.\d+)?)\s*"  # since 1970: from 1992 on, to 2033
)


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
    missing: Mapping[Any, str],
    flags: Mapping[Any, str | None],
    argument: str | None,
    alternative: str = "",
) -> ValueError:
    """Return the error for the columns `missing`, with what may be meant.

    `flags`, under the same keys, are what names them; None where there is no flag. `argument` is
    the one that names the columns of a file without a header, None if it was given.
    """
    said = [
        f"no column {name!r}{_meant(name, has)}" + (f" ({flags[key]})" if flags[key] else "")
        for key, name in missing.items()
    ]
    text = f"{path}: {'; '.join(said)}. It has {listed(has)}"
    if any(flags.values()):
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
    said = f"{path}: row 1 looks like data, not like a header: {listed(cells)}."
    needed = [name for argument, name in wanted.items() if not argument.endswith("?")]
    if len(cells) == 1 < len(needed):
        return ValueError(
            f"{said} It has one cell, and a row needs {' and '.join(needed)}. Give"
            f" {flag('delimiter')} what stands between them, or write a row for each pair."
        )
    example = _example(cells, wanted, rows)
    names = " ".join(example[:_MOST_NAMES]) + (" …" if len(example) > _MOST_NAMES else "")
    rating = wanted.get("rating?")
    also = f" {flag('rating')} {rating}" if rating in example else ""
    return ValueError(
        f"{said} Name the columns in their order, such as {flag(argument)} {names}{also}"
    )


def _example(
    cells: list[str], wanted: Mapping[str, str], rows: pl.DataFrame | None = None
) -> list[str]:
    """Guess the names of the columns: the text is the longest cell of row 1, a time looks so.

    The label is the column whose values recur the most, none of them empty. What an argument with ?
    names is guessed where a cell looks like it: a rating is a small number that follows the columns
    that are always there.
    """
    left = dict(wanted)
    names: list[str | None] = [None] * len(cells)
    if "text" in left and "label" in left:
        longest = max(range(len(cells)), key=lambda place: len(cells[place]))
        names[longest] = left.pop("text")
        if rows is not None and (place := _most_recurring(rows, longest)) is not None:
            names[place] = left.pop("label")
    times = [place for place, cell in enumerate(cells) if _TIME.fullmatch(cell)]
    for argument in ("time", "timestamp", "timestamp?"):
        if times and argument in left:
            names[times[-1]] = left.pop(argument)
    rating, _ = left.pop("rating?", None), left.pop("timestamp?", None)
    rest = [*left.values()]
    free = [place for place, name in enumerate(names) if name is None]
    for place, name in zip(free, rest, strict=False):
        names[place] = name
    after = free[len(rest) : len(rest) + 1]
    if rating is not None and after and re.fullmatch(_RATING, cells[after[0]]):
        names[after[0]] = rating
    return [name or f"other_{place}" for place, name in enumerate(names, start=1)]


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
