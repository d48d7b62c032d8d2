"""What each way to decide costs and saves on the test days."""

from __future__ import annotations

from copy import copy

import numpy as np

from common.evaluation.classification import precision_recall_f1
from common.evaluation.report import Row, Table, Value
from patterns.fraud.entities.payments import Payments
from patterns.fraud.evaluation.scored import Scored
from patterns.fraud.pipeline import Pipeline
from patterns.fraud.stages.decision import CostDecision, money
from patterns.fraud.stages.variants import LOGISTIC, RULES

MONEY = ("prevented", "lost", "friction", "saved")
COUNTS = ("precision", "recall", "F1", "declined")


def decisions(pipeline: Pipeline, scored: Scored) -> Table:
    """Return the served model's decisions under each policy beside the simpler ways.

    Payments without amounts are counted, not priced.
    """
    test, served = scored.payments, pipeline.served_
    priced = test.amounts is not None
    p, cost = scored.calibrated[served.name], served.decision.false_positive_cost
    threshold = "cost threshold" if priced else "F1 threshold"
    under = _under(served.decision, "threshold")
    ways = {
        "accept everything": np.zeros(len(test), dtype=bool),
        f"rules, {threshold}": scored.declined[RULES],
        f"logistic regression, {threshold}": scored.declined[LOGISTIC],
        "served, p >= 0.5": p >= 0.5,
        f"served, {threshold} {under.threshold_:.3f}": under.decline(p, test.amounts),
    }
    if priced:
        loss = _under(served.decision, "expected-loss")
        ways["served, expected loss"] = loss.decline(p, test.amounts)
    rows = tuple(
        Row(name, _cells(test, declined, cost), baseline=not place)
        for place, (name, declined) in enumerate(ways.items())
    )
    caption = (
        f"A fraud let through costs its amount, a genuine payment declined {cost:g}; thresholds"
        " were chosen on validation."
        if priced
        else "The payments have no amounts: thresholds have the highest F1 on validation."
    )
    return Table("decisions", COUNTS + (MONEY if priced else ()), rows, caption)


def _under(decision: CostDecision, policy: str) -> CostDecision:
    """Return the same costs and threshold under another policy."""
    decision = copy(decision)
    decision.policy = policy
    return decision


def _cells(test: Payments, declined: np.ndarray, cost: float) -> dict[str, Value]:
    found = precision_recall_f1(test.labels, declined.astype(np.int8), average="binary")
    cells: dict[str, Value] = {
        "precision": found.precision,
        "recall": found.recall,
        "F1": found.f1,
        "declined": f"{int(declined.sum()):,}",
    }
    if test.amounts is None:
        return cells
    priced = money(
        test.labels, test.amounts, declined, false_positive_cost=cost, weights=test.weights
    )
    return cells | {column: f"{getattr(priced, column):,.0f}" for column in MONEY}
