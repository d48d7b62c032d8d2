"""The headline: how well each variant orders payments, and what its decisions save.

Intervals of average precision and of money resample customers, because the payments of one customer
share their fate (or payments, where no customer is known); those of CP@k resample days. Money is
what a decision rule saves over accepting everything, as a share of what fraud would have cost: 1 is
perfect, below 0 worse than doing nothing. What the table has no columns for is left out.
"""

from __future__ import annotations

import numpy as np

from common.evaluation.bootstrap import interval
from common.evaluation.classification import average_precision, brier, roc_auc
from common.evaluation.report import Estimate, Row, Table, Value
from patterns.fraud.entities.payments import Payments
from patterns.fraud.evaluation.intervals import average_precision_interval
from patterns.fraud.evaluation.savings import Savings
from patterns.fraud.evaluation.scored import Scored
from patterns.fraud.pipeline import Pipeline
from patterns.fraud.stages.decision import card_precision
from patterns.fraud.stages.variants import RULES


def quality(pipeline: Pipeline, scored: Scored) -> Table:
    """Return every variant's ranking, calibration and money on the test days."""
    test, k = scored.payments, pipeline.alerts
    alerted = f"CP@{k}" if _has_cards(test) else None
    columns = ("AP", "AUC", alerted, "Brier", "money saved" if test.amounts is not None else None)
    rows: list[Row] = []
    for name, variant in pipeline.variants.items():
        scores = scored.raw[name]
        cells: dict[str, Value] = {
            "AP": _average_precision(test, scores, pipeline.seed),
            "AUC": roc_auc(test.labels, scores),
            "Brier": weighted_brier(test, scored.calibrated[name]),
        }
        if alerted:
            by_day = daily_card_precision(test, scores, k)
            cells[alerted] = Estimate(float(by_day.mean()), *interval(by_day, seed=pipeline.seed))
        if test.amounts is not None:
            cost = variant.decision.false_positive_cost
            savings = Savings(test, false_positive_cost=cost, seed=pipeline.seed)
            cells["money saved"] = savings.share(scored.declined[name])
        rows.append(Row(name, cells, baseline=name == RULES))
    return Table("quality", tuple(filter(None, columns)), tuple(rows), _caption(test, k))


def gain_over_rules(pipeline: Pipeline, scored: Scored) -> Estimate:
    """Return how far the AP of what is served lies above the rules', on the same resamples."""
    test, served = scored.payments, pipeline.served_.name
    ours, theirs = scored.raw[served], scored.raw[RULES]
    low, high = average_precision_interval(
        test.labels, ours, _groups(test), against=theirs, weights=test.weights, seed=pipeline.seed
    )
    each = (average_precision(test.labels, scores, test.weights) for scores in (ours, theirs))
    return Estimate(next(each) - next(each), low, high)


def _groups(test: Payments) -> np.ndarray:
    """Return what is resampled together (N,): a customer's payments, or each by itself."""
    return np.arange(len(test)) if test.customers is None else test.customers


def _caption(test: Payments, k: int) -> str:
    said = [f"{len(test):,} payments"]
    if test.days is not None:
        said.append(f"of {len(np.unique(test.days))} test days")
    text = f"{' '.join(said)}, {int(test.labels.sum()):,} frauds."
    if _has_cards(test):
        perfect = daily_card_precision(test, test.labels, k)
        text += f" CP@{k}: compromised cards among the {k} alerted a day (a perfect ranking:"
        text += f" {perfect.mean():.3f})."
    weighted = " AP and Brier count each payment by its weight." if test.weights is not None else ""
    return f"{text} Brier after calibration.{weighted}"


def _has_cards(test: Payments) -> bool:
    return test.days is not None and test.customers is not None


def _average_precision(test: Payments, scores: np.ndarray, seed: int) -> Estimate:
    low, high = average_precision_interval(
        test.labels, scores, _groups(test), weights=test.weights, seed=seed
    )
    return Estimate(average_precision(test.labels, scores, test.weights), low, high)


def weighted_brier(test: Payments, probabilities: np.ndarray) -> float:
    """Return the Brier score of probabilities (N,), each payment counted by its weight, if any."""
    if test.weights is None:
        return brier(test.labels, np.clip(probabilities, 0, 1))
    return float(np.average((probabilities - test.labels) ** 2, weights=test.weights))


def daily_card_precision(test: Payments, scores: np.ndarray, k: int) -> np.ndarray:
    """Return CP@k of each test day for scores (N,)."""
    assert test.days is not None and test.customers is not None
    return card_precision(
        days=test.days, customers=test.customers, labels=test.labels, scores=scores, k=k
    )
