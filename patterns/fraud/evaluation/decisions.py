"""What each way to decide costs and saves on the test days."""

from __future__ import annotations

import numpy as np

from common.evaluation.classification import precision_recall_f1
from common.evaluation.report import Row, Table, Value
from patterns.fraud.evaluation.savings import Savings
from patterns.fraud.evaluation.scored import Scored
from patterns.fraud.pipeline import Pipeline
from patterns.fraud.stages.decision import POLICY_NAMES, money
from patterns.fraud.stages.variants import LOGISTIC, RULES

COUNTS = ("precision", "recall", "F1", "declined")
MONEY = ("saved", "against served", "prevented", "friction")


def decisions(pipeline: Pipeline, scored: Scored) -> Table:
    """Return the served decisions beside those of simpler models and of other policies.

    Payments without amounts are counted, not priced.
    """
    priced = scored.payments.amounts is not None
    rows = tuple(
        Row(name, _cells(pipeline, scored, declined), baseline=not place)
        for place, (name, declined) in enumerate(_ways(pipeline, scored).items())
    )
    return Table("decisions", (MONEY if priced else ()) + COUNTS, rows, _caption(pipeline, priced))


def _caption(pipeline: Pipeline, priced: bool) -> str:
    served, decision = pipeline.served_, pipeline.served_.decision
    if not priced:
        return (
            "Without amounts thresholds have the highest F1 on validation,"
            f" {served.name}'s is {decision.threshold_:.3f}."
        )
    return (
        f"A fraud let through costs its amount, a genuine payment declined"
        f" {decision.false_positive_cost:g}; thresholds were chosen on validation, served is"
        f" {decision.threshold_:.3f}. Served: {served.name} by {POLICY_NAMES[decision.policy]},"
        " chosen over the windows before the test. 95 % intervals over customers, against served"
        " paired."
    )


def _ways(pipeline: Pipeline, scored: Scored) -> dict[str, np.ndarray]:
    """Return what each way declines (N,), the simplest first."""
    amounts, served = scored.payments.amounts, pipeline.served_
    names = {"threshold": "F1 threshold"} if amounts is None else POLICY_NAMES
    ways = {
        "accept everything": np.zeros(len(scored.payments), dtype=bool),
        "served, p >= 0.5": scored.calibrated[served.name] >= 0.5,
    }
    for policy, said in names.items():
        for who, name in ((RULES, RULES), (LOGISTIC, LOGISTIC), ("served", served.name)):
            decision = pipeline.variants[name].decision.under(policy)
            ways[f"{who}, {said}"] = decision.decline(scored.calibrated[name], amounts)
    return ways


def _cells(pipeline: Pipeline, scored: Scored, declined: np.ndarray) -> dict[str, Value]:
    test, served = scored.payments, pipeline.served_
    found = precision_recall_f1(test.labels, declined.astype(np.int8), average="binary")
    cells: dict[str, Value] = {
        "precision": found.precision,
        "recall": found.recall,
        "F1": found.f1,
        "declined": f"{int(declined.sum()):,}",
    }
    if test.amounts is None:
        return cells
    cost = served.decision.false_positive_cost
    priced = money(
        test.labels, test.amounts, declined, false_positive_cost=cost, weights=test.weights
    )
    cells |= {"prevented": f"{priced.prevented:,.0f}", "friction": f"{priced.friction:,.0f}"}
    savings = Savings(test, false_positive_cost=cost, seed=pipeline.seed)
    cells["saved"] = savings.saved(declined) if declined.any() else "0"
    chosen = scored.declined[served.name]
    same = np.array_equal(declined, chosen)
    return cells | {"against served": None if same else savings.above(declined, chosen)}
