"""What each way to decide costs and saves on the test days."""

from __future__ import annotations

from copy import copy

import numpy as np

from common.evaluation.classification import precision_recall_f1
from common.evaluation.report import Row, Table, Value
from patterns.fraud.entities.payments import Payments
from patterns.fraud.evaluation.scored import Scored
from patterns.fraud.pipeline import LOGISTIC, RULES, Pipeline
from patterns.fraud.stages.decision import CostDecision, money

MONEY = ("prevented", "lost", "friction", "saved")
COLUMNS = ("precision", "recall", "F1", "declined", *MONEY)


def decisions(pipeline: Pipeline, scored: Scored) -> Table:
    """Return the served model's decisions under each policy beside the simpler ways."""
    test, served = scored.payments, pipeline.served_
    p, cost = scored.calibrated[served.name], served.decision.false_positive_cost
    ways = {
        "accept everything": np.zeros(len(test), dtype=bool),
        "rules, cost threshold": scored.declined[RULES],
        "logistic regression, cost threshold": scored.declined[LOGISTIC],
        "served, p >= 0.5": p >= 0.5,
        f"served, cost threshold {served.decision.threshold_:.3f}": _under(
            served.decision, "threshold"
        ).decline(p, test.amounts),
        "served, expected loss": _under(served.decision, "expected-loss").decline(p, test.amounts),
    }
    rows = tuple(
        Row(name, _cells(test, declined, cost), baseline=not place)
        for place, (name, declined) in enumerate(ways.items())
    )
    caption = (
        f"A fraud let through costs its amount, a genuine payment declined {cost:g}; thresholds"
        " were chosen on validation."
    )
    return Table("decisions", COLUMNS, rows, caption)


def _under(decision: CostDecision, policy: str) -> CostDecision:
    """Return the same costs and threshold under another policy."""
    decision = copy(decision)
    decision.policy = policy
    return decision


def _cells(test: Payments, declined: np.ndarray, cost: float) -> dict[str, Value]:
    found = precision_recall_f1(test.labels, declined.astype(np.int8), average="binary")
    priced = money(test.labels, test.amounts, declined, false_positive_cost=cost)
    return {
        "precision": found.precision,
        "recall": found.recall,
        "F1": found.f1,
        "declined": f"{int(declined.sum()):,}",
        **{column: f"{getattr(priced, column):,.0f}" for column in MONEY},
    }
