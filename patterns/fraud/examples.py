"""Payments with what was decided and why: found, missed, and declined though they were genuine."""

from __future__ import annotations

import numpy as np

from common.evaluation.examples import Example, Item, evenly
from patterns.fraud.data import Splits
from patterns.fraud.evaluation.scored import Scored
from patterns.fraud.pipeline import Pipeline

EACH = 2  # of a kind


def examples(pipeline: Pipeline, splits: Splits, scored: Scored) -> list[Example]:
    """Return payments of each kind, from inside its range of probabilities."""
    fraud = scored.payments.labels == 1
    declined = scored.declined[pipeline.served_.name]
    kinds = {
        "fraud, declined": fraud & declined,
        "fraud, let through": fraud & ~declined,
        "genuine, declined": ~fraud & declined,
        "genuine, let through": ~fraud & ~declined,
    }
    said = scored.calibrated[pipeline.served_.name]
    items = []
    for kind, members in kinds.items():
        rows = np.flatnonzero(members)
        rows = rows[np.argsort(said[rows], kind="stable")]
        inner = evenly(len(rows), EACH + 2)[1:-1] if len(rows) > EACH else range(len(rows))
        items += [_item(pipeline, splits, scored, kind, int(rows[place])) for place in inner]
    caption = (
        "Payments of the test days at even steps of their probability, with the rules that hit and"
        " what raised the score most."
    )
    return [Example("payments and reasons", caption, tuple(items))] if items else []


def _item(pipeline: Pipeline, splits: Splits, scored: Scored, kind: str, row: int) -> Item:
    test, features = scored.payments, scored.features[row : row + 1]
    facts = {"probability": f"{scored.calibrated[pipeline.served_.name][row]:.4f}"}
    if test.amounts is not None:
        facts["amount"] = f"{test.amounts[row]:,.2f}"
    if test.days is not None:
        facts["day"] = str(test.days[row])
    if test.customers is not None:
        name = pipeline.identifiers_.name("customer_id", int(test.customers[row]))
        facts["customer"] = str(name)
    reasons = [rule.reason for rule in pipeline.rules.model.reasons(features)[0]]
    for name, value, added in pipeline.reasons(features)[0]:
        shown = pipeline.features.shown(name, value)
        reasons.append(f"{name.replace('_', ' ')} is {shown} ({added:+.2f})")
    return Item(kind, " · ".join(reasons) or "nothing raised its score", facts)
