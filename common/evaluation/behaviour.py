"""Behaviour of a language model as a checklist: what must hold whatever the test set says.

Ribeiro et al. 2020 ("Beyond Accuracy", CheckList) name three kinds:

- minimum functionality: simple cases that the model must get right;
- invariance: a change that does not change the meaning must not change the answer;
- direction: a change must move the answer one way, or not the other.

A task makes its checks of its own test inputs; `checklist` is the table that its report shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from common.evaluation.report import Row, Table

Kind = Literal["minimum functionality", "invariance", "direction"]
LONGEST = 120  # characters of a failure that is shown


@dataclass(frozen=True)
class Check:
    """One line of the checklist."""

    name: str
    """What must hold, in a few words: "another case keeps the label"."""
    kind: Kind
    passed: np.ndarray
    """bool, one per case."""
    cases: Sequence[str]
    """What was asked, one per case; told by its number where it is of a dataset, since tables are
    published with the code and rows of a dataset are not."""


def checklist(checks: Sequence[Check], *, caption: str = "") -> Table:
    """Return one row per check: its kind, the cases, the share that passed, the first failure."""
    rows = []
    for check in checks:
        failed = np.flatnonzero(~check.passed)
        shown = check.cases[failed[0]] if len(failed) else ""
        shown = shown if len(shown) <= LONGEST else shown[: LONGEST - 1] + "…"
        values = {
            "kind": check.kind,
            "cases": float(len(check.passed)),
            "passed": float(check.passed.mean()) if len(check.passed) else None,
            "first failure": shown or None,
        }
        rows.append(Row(check.name, values))
    columns = ("kind", "cases", "passed", "first failure")
    return Table("behaviour", columns, tuple(rows), caption)


def with_typo(text: str, rng: np.random.Generator) -> str:
    """Swap two neighbouring letters inside one word; a text without such a pair comes back."""
    places = [
        place
        for place in range(1, len(text) - 2)
        if text[place - 1 : place + 3].isalpha() and text[place] != text[place + 1]
    ]
    if not places:
        return text
    place = int(rng.choice(places))
    return text[:place] + text[place + 1] + text[place] + text[place + 2 :]
