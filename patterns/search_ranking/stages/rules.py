"""Business rules: what an editor or a contract wants of a page, said as data and applied by code.

A ranker learns what people find relevant; it cannot learn that a campaign film goes first, that a
withdrawn one must not appear, or that one director must not fill the page. Five kinds:

    pin      these documents first, in this order, for a query of these words
    boost    add `weight` to the relevance (0 to 1) of documents that meet the condition
    demote   take `weight` away
    cap      at most `most` documents of one value of `field` among the first `within`
    filter   documents that meet the condition never appear

A condition is a `field` of the document and a `value` it must hold (a list field: contain), or a
number to be `below` or `above`. Rules come from a JSON list, are checked when they are read, and an
unknown field or value is an error with the known ones: a rule with a misspelt name would otherwise
be obeyed by nobody and noticed by nobody. A request's own filters are the same conditions.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl

from common.retrieval.analysis import fold, normalised

# Shapes: N documents

KINDS = ("pin", "boost", "demote", "cap", "filter")


@dataclass(frozen=True)
class Condition:
    """What a document must be."""

    field: str
    value: str | None = None
    below: float | None = None
    above: float | None = None

    def mask(self, documents: pl.DataFrame) -> np.ndarray:
        """Tell which documents meet it, (N,) bool; a missing number meets nothing."""
        kind = _kind(documents, self.field)
        if self.value is not None:
            return self._holds(documents)
        if not kind.is_numeric():
            numbers = [name for name, each in documents.schema.items() if each.is_numeric()]
            raise ValueError(
                f"{self.field}: below and above need one of {', '.join(numbers) or 'none here'}"
            )
        if self.below is None and self.above is None:
            raise ValueError(f"{self.field}: a condition needs value, below or above")
        values = documents[self.field].to_numpy().astype(float)
        low = -np.inf if self.above is None else self.above
        high = np.inf if self.below is None else self.below
        return (values > low) & (values < high)

    def _holds(self, documents: pl.DataFrame) -> np.ndarray:
        """Compare without regard to case; raises for a value that no document has."""
        column = documents[self.field]
        wanted = fold(str(self.value))
        if column.dtype == pl.List(pl.String):
            found = [any(fold(entry) == wanted for entry in row) for row in column.to_list()]
        elif column.dtype.is_numeric():
            number = _as_number(self.field, str(self.value))
            found = [entry == number for entry in column.to_list()]
        else:
            found = [fold(entry) == wanted for entry in column.to_list()]
        mask = np.array(found, bool)
        if not mask.any():
            raise ValueError(
                f"{self.field}: {self.value!r} is not in the corpus; {_nearest(column, wanted)}"
            )
        return mask


def allowed_by(conditions: Sequence[Condition], documents: pl.DataFrame) -> np.ndarray | None:
    """Tell which documents meet all conditions, (N,) bool; None where there are none to meet."""
    if not conditions:
        return None
    return np.logical_and.reduce([each.mask(documents) for each in conditions])


@dataclass(frozen=True)
class Rule:
    """One business rule; which fields are needed depends on the kind."""

    kind: str
    field: str = ""
    value: str | None = None
    below: float | None = None
    above: float | None = None
    weight: float = 0.0
    most: int = 0
    within: int = 10
    query: str = ""
    doc_ids: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check that the kind is known and has what it needs."""
        if self.kind not in KINDS:
            raise ValueError(f"kind: {self.kind!r} is not known; use one of {', '.join(KINDS)}")
        if self.kind == "pin" and not (self.query.strip() and self.doc_ids):
            raise ValueError("pin: needs a query and doc_ids; give both")
        if self.kind != "pin" and not self.field:
            raise ValueError(f"{self.kind}: needs a field of the documents; give field")
        if self.kind == "cap" and not (1 <= self.most <= self.within):
            raise ValueError(f"cap: most is {self.most}; give 1 to within ({self.within})")
        if self.kind in ("boost", "demote") and not 0 < self.weight <= 10:
            raise ValueError(f"{self.kind}: weight is {self.weight}; give more than 0, at most 10")

    @property
    def condition(self) -> Condition:
        """Return the condition on the documents it speaks of."""
        return Condition(self.field, self.value, self.below, self.above)


class Rules:
    """Rules made ready for one corpus: conditions as masks, document ids as rows."""

    def __init__(self, *, rules: Sequence[Rule] = ()) -> None:
        self.rules = tuple(rules)

    def fit(self, documents: pl.DataFrame) -> Self:
        """Look every condition up; raises for what the corpus does not know."""
        count = documents.height
        self.bonus_ = np.zeros(count, np.float32)  # (N,) boosts less demotions
        self.barred_ = np.zeros(count, bool)  # (N,)
        self.caps_: list[tuple[int, int, list[frozenset[str]]]] = []
        self.pins_: dict[str, list[int]] = {}
        rows = {doc_id: row for row, doc_id in enumerate(documents["doc_id"])}
        for rule in self.rules:
            if rule.kind == "pin":
                self.pins_[normalised(rule.query)] = [_row(rows, each) for each in rule.doc_ids]
            elif rule.kind == "cap":
                _kind(documents, rule.field)
                values = [_values(entry) for entry in documents[rule.field].to_list()]
                self.caps_.append((rule.most, rule.within, values))
            elif rule.kind == "filter":
                self.barred_ |= rule.condition.mask(documents)
            else:
                sign = 1.0 if rule.kind == "boost" else -1.0
                self.bonus_ += np.float32(sign * rule.weight) * rule.condition.mask(documents)
        return self

    def pinned(self, query: str) -> list[int]:
        """Return the rows pinned for a query of these words, in order."""
        rows = self.pins_.get(normalised(query), []) if self.pins_ else []
        return [row for row in rows if not self.barred_[row]]

    def capped(self, order: np.ndarray) -> np.ndarray:
        """Move rows over a cap behind the first `within`; the order is kept otherwise."""
        for most, within, values in self.caps_:
            order = _capped(order, most, within, values)
        return order


def read_rules(path: Path) -> tuple[Rule, ...]:
    """Read the rules of a JSON file: a list of objects with the fields of `Rule`."""
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as problem:
        raise ValueError(f"{path}: not a readable JSON file ({problem}); give a list") from problem
    if not isinstance(entries, list):
        raise ValueError(f"{path}: holds no list of rules; write [{{...}}, ...]")
    return tuple(_rule(entry, f"{path}, rule {place}") for place, entry in enumerate(entries, 1))


def _rule(entry: Any, where: str) -> Rule:
    known = {field.name for field in fields(Rule)}
    if not isinstance(entry, Mapping) or set(entry) - known or "kind" not in entry:
        raise ValueError(f"{where}: {entry!r} is not a rule; its fields are {sorted(known)}")
    try:
        return Rule(**{**entry, "doc_ids": tuple(map(str, entry.get("doc_ids", ())))})
    except (TypeError, ValueError) as problem:
        raise ValueError(f"{where}: {problem}") from problem


def _kind(documents: pl.DataFrame, field: str) -> pl.DataType:
    """Return the type of a field; one that the documents lack raises with those they have."""
    if field not in documents.columns:
        known = ", ".join(documents.columns)
        raise ValueError(f"field: {field!r} is not a field of the documents; use one of {known}")
    return documents.schema[field]


def _as_number(field: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise ValueError(f"{field}: {value!r} is not a number; give one") from None


def _nearest(column: pl.Series, wanted: str) -> str:
    """Name the values spelt most like the wanted one, else the most frequent, as a remedy."""
    values = column.explode() if column.dtype == pl.List(pl.String) else column
    counts = values.drop_nulls().cast(pl.String).value_counts(sort=True, name="times")
    known = {fold(entry): entry for entry in reversed(counts[values.name].to_list())}
    near = difflib.get_close_matches(wanted, list(known), n=3, cutoff=0.6)
    names = [known[entry] for entry in near] or counts[values.name].head(20).to_list()
    return f"known values are {', '.join(names)}" if names else "the corpus has no such values"


def _row(rows: Mapping[str, int], doc_id: str) -> int:
    if doc_id not in rows:
        raise ValueError(f"pin: document {doc_id!r} is not in the corpus; correct its id")
    return rows[doc_id]


def _values(entry: Any) -> frozenset[str]:
    """Return the values by which a document counts against a cap; none for an empty field."""
    entries = entry if isinstance(entry, list) else [entry]
    return frozenset(str(each) for each in entries if each not in (None, ""))


def _capped(order: np.ndarray, most: int, within: int, values: list[frozenset[str]]) -> np.ndarray:
    page: list[int] = []
    held_back: list[int] = []
    used: dict[str, int] = {}
    for place, row in enumerate(order):
        if len(page) == within:
            return np.array(page + held_back + list(order[place:]), np.int64)
        own = values[row]
        if any(used.get(value, 0) >= most for value in own):
            held_back.append(row)
            continue
        page.append(row)
        for value in own:
            used[value] = used.get(value, 0) + 1
    return np.array(page + held_back, np.int64)
