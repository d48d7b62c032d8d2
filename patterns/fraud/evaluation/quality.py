"""The headline: how well each variant orders payments, and what its decisions save.

Intervals of average precision resample customers, because the payments of one customer share their
fate; those of CP@k resample days. Money is what a decision rule saves over accepting everything, as
a share of what fraud would have cost: 1 is perfect, below 0 worse than doing nothing.
"""

from __future__ import annotations

import numpy as np

from common.evaluation.bootstrap import interval
from common.evaluation.classification import average_precision, brier, roc_auc
from common.evaluation.report import Estimate, Row, Table, Value
from patterns.fraud.entities.payments import Payments
from patterns.fraud.evaluation.intervals import average_precision_interval
from patterns.fraud.evaluation.scored import Scored
from patterns.fraud.pipeline import RULES, Pipeline
from patterns.fraud.stages.decision import card_precision, money
from patterns.fraud.stages.variant import Variant


def quality(pipeline: Pipeline, scored: Scored) -> Table:
    """Return every variant's ranking, calibration and money on the test days."""
    test, k = scored.payments, pipeline.alerts
    columns = ("AP", "AUC", f"CP@{k}", "Brier", "money saved")
    rows: list[Row] = []
    for name, variant in pipeline.variants.items():
        scores = scored.raw[name]
        by_day = daily_card_precision(test, scores, k)
        low, high = average_precision_interval(
            test.labels, scores, test.customers, seed=pipeline.seed
        )
        cells: dict[str, Value] = {
            "AP": Estimate(average_precision(test.labels, scores), low, high),
            "AUC": roc_auc(test.labels, scores),
            columns[2]: Estimate(float(by_day.mean()), *interval(by_day, seed=pipeline.seed)),
            "Brier": brier(test.labels, np.clip(scored.calibrated[name], 0, 1)),
            "money saved": f"{_saved(variant, scored):.1%}",
        }
        served = " (served)" if variant is pipeline.served_ else ""
        rows.append(Row(name + served, cells, baseline=name == RULES))
    perfect = daily_card_precision(test, test.labels, k)
    caption = (
        f"{len(test):,} payments of {len(np.unique(test.days))} test days,"
        f" {int(test.labels.sum()):,} frauds. CP@{k}: compromised cards among the {k} alerted a day"
        f" (a perfect ranking: {perfect.mean():.3f}). Brier after calibration."
    )
    return Table("quality", columns, tuple(rows), caption)


def daily_card_precision(test: Payments, scores: np.ndarray, k: int) -> np.ndarray:
    """Return CP@k of each test day for scores (N,)."""
    return card_precision(
        days=test.days, customers=test.customers, labels=test.labels, scores=scores, k=k
    )


def _saved(variant: Variant, scored: Scored) -> float:
    test, cost = scored.payments, variant.decision.false_positive_cost
    declined = scored.declined[variant.name]
    return money(test.labels, test.amounts, declined, false_positive_cost=cost).saved_share
