"""Columns of a user's table beyond those with a role: numbers and categories, by their values.

    every value a number, or missing    number, missing ones null
    text, in which values recur         category, as it is written
    one value in all rows               left out
    nearly every value its own          left out: an id (of whole numbers or text), a free text

Given by name, a column is taken as what it was given as, or refused by row.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from data.files.amounts import to_numbers
from data.files.columns import Columns
from data.files.faults import flag

AUTO, NONE = "auto", "none"
NO_NUMBER = ("", "nan", "null", "none", "na", "n/a", "?")
_DIFFER_NUMBERS, _DIFFER_TEXTS = 0.95, 0.5  # share of values that differ, from which it is an id
_MOST_NAMES = 8


@dataclass(frozen=True)
class Further:
    """The further columns under their own names: f64, null where missing, and text."""

    frame: pl.DataFrame
    numbers: tuple[str, ...]
    categories: tuple[str, ...]
    notice: str | None
    """Which were used, and which were not and why."""


def further_columns(
    files: list[Columns],
    *,
    numbers: tuple[str, ...],
    categories: tuple[str, ...],
    reserved: frozenset[str],
) -> Further:
    """Read what has no role in the rows of all `files`, one below the other.

    `numbers` and `categories` are names, or "auto" for those found, or "none". A name of `reserved`
    is marked as a column. What is wrong is kept in the faults of its file.
    """
    roles = {name for each in files for name in each.used}
    has = [name for name in files[0].table.frame.columns if name not in roles]
    shared = [name for name in has if all(name in each.table.frame.columns for each in files)]
    left = {name: "not in all files" for name in has if name not in shared}
    texts = pl.concat([each.table.frame.select(shared) for each in files])
    texts = texts.select(pl.all().str.strip_chars())
    given = dict.fromkeys(categories, "category") | dict.fromkeys(numbers, "number")
    kinds: dict[str, str] = {}
    longest = max(files, key=lambda each: each.table.frame.height).table.frame
    for name in shared:
        kind = given.get(name) or _found(texts[name], longest[name])
        asked = name in given or AUTO in (categories if kind == "category" else numbers)
        if kind in ("number", "category") and asked:
            kinds[name] = kind
        else:
            left[name] = "not asked for" if kind in ("number", "category") else kind
    _check_given(files[0], given, shared, roles)
    for name, kind in kinds.items():
        if kind == "number" and name in given:
            _check_numbers(files, name)
    columns = [
        _number(texts[name]) if kind == "number" else texts[name] for name, kind in kinds.items()
    ]
    named = {name: f"{name} (column)" if name in reserved else name for name in kinds}
    return Further(
        pl.DataFrame(columns).rename(named) if columns else pl.DataFrame(),
        tuple(named[name] for name, kind in kinds.items() if kind == "number"),
        tuple(named[name] for name, kind in kinds.items() if kind == "category"),
        _notice(kinds, left),
    )


def _found(values: pl.Series, longest: pl.Series) -> str:
    """Return "number", "category", or why a column of neither is left out.

    Whether nearly every value differs is told in the `longest` file, since a number of the row
    begins anew in each.
    """
    if values.n_unique() == 1:
        return "one value in all rows"
    distinct, rows = longest.n_unique(), len(longest)
    known = values.filter(~values.str.to_lowercase().is_in(list(NO_NUMBER)))
    found, _ = to_numbers(known)
    if len(known) and found.is_finite().fill_null(False).all():
        whole = (found == found.floor()).all()
        missing = longest.str.strip_chars().str.to_lowercase().is_in(list(NO_NUMBER))
        is_id = whole and distinct > max(_DIFFER_NUMBERS * (rows - int(missing.sum())), 50)
        return "nearly every value differs" if is_id else "number"
    is_id = distinct > max(_DIFFER_TEXTS * rows, 50)
    return "nearly every value differs" if is_id else "category"


def _number(values: pl.Series) -> pl.Series:
    """Return f64, null where there is no number."""
    known = values.set(values.str.to_lowercase().is_in(list(NO_NUMBER)), None)
    found, _ = to_numbers(known)
    return found.set(~found.is_finite().fill_null(True), None)


def _check_given(
    columns: Columns, given: dict[str, str], shared: list[str], roles: set[str]
) -> None:
    """Refuse a name that no column has, or that has a role."""
    for name, kind in given.items():
        if name in (AUTO, NONE) or name in shared:
            continue
        argument = "numbers" if kind == "number" else "categories"
        why = "has a role already" if name in roles else "is no column of all files"
        columns.faults.add(None, f"{name!r}, given by {flag(argument)}, {why}.")


def _check_numbers(files: list[Columns], name: str) -> None:
    """Refuse what is no number in a column given as numbers."""
    for columns in files:
        values = columns.table.frame[name].str.strip_chars()
        missing = values.str.to_lowercase().is_in(list(NO_NUMBER))
        found, _ = to_numbers(values.set(missing, None))
        wrong = ~found.is_finite().fill_null(False) & ~missing
        place = wrong.arg_max()
        if place is not None and wrong[place]:
            columns.faults.add(
                int(columns.table.rows[place]),
                f"column {name!r} holds {values[place]!r}, not a number ({int(wrong.sum()):,} such"
                f" rows). Correct it, or give the column by {flag('categories')}.",
            )


def _notice(kinds: dict[str, str], left: dict[str, str]) -> str | None:
    """Say which further columns are used and which are not."""
    said = []
    for kind, plural in (("number", "numbers"), ("category", "categories")):
        if names := [name for name, found in kinds.items() if found == kind]:
            said.append(f"{plural} {_listed(names)}")
    used = f"Further columns used: {'; '.join(said)}." if said else ""
    reasons: dict[str, list[str]] = {}
    for name, why in left.items():
        reasons.setdefault(why, []).append(name)
    unused = [f"{_listed(names)} ({why})" for why, names in reasons.items()]
    unread = f"Columns left unread: {'; '.join(unused)}." if unused else ""
    return " ".join(filter(None, (used, unread))) or None


def _listed(names: list[str]) -> str:
    more = len(names) - _MOST_NAMES
    return ", ".join(map(repr, names[:_MOST_NAMES])) + (f" and {more} more" if more > 0 else "")
