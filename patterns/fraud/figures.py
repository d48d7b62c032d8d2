"""What is drawn of fraud detection: precision-recall, reliability, cost against threshold, days."""

from __future__ import annotations

import numpy as np

from common.evaluation.classification import (
    cost_curve,
    precision_recall_curve,
    reliability_curve,
)
from common.evaluation.report import Report, figure
from patterns.fraud.data import Splits
from patterns.fraud.evaluation.quality import daily_card_precision
from patterns.fraud.evaluation.scored import Scored
from patterns.fraud.pipeline import Pipeline
from patterns.fraud.stages.variants import RULES

POINTS = 500


def draw(report: Report, pipeline: Pipeline, splits: Splits, scored: Scored) -> None:
    """Draw all figures."""
    _precision_recall(report, pipeline, scored)
    _reliability(report, scored)
    if splits.test.amounts is not None:
        _cost(report, pipeline, splits)
    if scored.payments.days is not None and scored.payments.customers is not None:
        _days(report, pipeline, scored)
    if pipeline.served_ is not pipeline.rules:
        _importance(report, pipeline, scored)


def _precision_recall(report: Report, pipeline: Pipeline, scored: Scored) -> None:
    labels, declined = scored.payments.labels, scored.declined[pipeline.served_.name]
    caption = "Each point is a threshold; the mark is what is served."
    with figure(report, "Precision and recall", caption, table="quality") as axes:
        for name, values in scored.raw.items():
            curve = precision_recall_curve(labels, values)
            keep = np.unique(np.linspace(0, len(curve.x) - 1, 4 * POINTS).astype(int))
            axes.plot(curve.x[keep], curve.y[keep], label=name, linewidth=1.2)
        hits = (declined & (labels == 1)).sum()
        precision, recall = hits / max(declined.sum(), 1), hits / labels.sum()
        axes.plot(recall, precision, marker="o", color="black", linestyle="none")
        axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
        axes.legend()


def _reliability(report: Report, scored: Scored) -> None:
    labels = scored.payments.labels
    caption = (
        "Share of fraud against the probability that was said; the diagonal is right. Dotted: the"
        " raw scores, which rebalancing may push to the right; solid: calibrated on validation."
    )
    with figure(report, "Reliability", caption, table="imbalance") as axes:
        for name in (n for n in scored.raw if n.startswith("XGBoost")):
            (line,) = axes.plot(*_bins(labels, scored.calibrated[name]), marker=".", label=name)
            axes.plot(*_bins(labels, scored.raw[name]), linestyle=":", color=line.get_color())
        axes.plot([0, 1], [0, 1], color="grey", linewidth=0.8)
        axes.set(xlabel="probability said", ylabel="share of fraud")
        axes.legend()


def _bins(labels: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    curve = reliability_curve(labels, np.clip(values, 0, 1), bins=10)
    enough = curve.count >= 20
    return curve.confidence[enough], curve.frequency[enough]


def _cost(report: Report, pipeline: Pipeline, splits: Splits) -> None:
    served, inputs = pipeline.served_, pipeline.inputs_
    parts = {"validation": (splits.valid, inputs.valid), "test": (splits.test, inputs.test)}
    caption = (
        "Loss to fraud plus friction per 1,000 payments at every threshold, on validation and on"
        " test; the dotted line is the threshold that costs least on validation."
        " At the right end everything is accepted."
    )
    never = 0.0
    with figure(report, "Cost against threshold", caption, table="decisions") as axes:
        for name, (part, features) in parts.items():
            amounts = part.amounts
            assert amounts is not None
            curve = cost_curve(
                part.labels,
                served.probabilities(features),
                false_positive=served.decision.false_positive_cost,
                false_negative=amounts,
            )
            keep = (curve.thresholds > 1e-4) & (curve.thresholds <= 1)
            axes.plot(curve.thresholds[keep], 1000 * curve.cost[keep] / len(part), label=name)
            never = max(never, 1000 * float(curve.cost[0]) / len(part))  # accept everything
        axes.axvline(served.decision.threshold_, linestyle=":", color="black")
        axes.set(xlabel="threshold", ylabel="cost per 1,000 payments", xscale="log")
        axes.set_ylim(0, 1.1 * never)
        axes.legend()


def _days(report: Report, pipeline: Pipeline, scored: Scored) -> None:
    test, k, served = scored.payments, pipeline.alerts, pipeline.served_.name
    caption = f"Every test day: CP@{k}, and the share of its frauds that were declined."
    assert test.days is not None
    days, day_of_row = np.unique(test.days, return_inverse=True)
    frauds = np.bincount(day_of_row, test.labels == 1)
    found = np.bincount(day_of_row, scored.declined[served] & (test.labels == 1))
    recall = np.where(frauds > 0, found / np.maximum(frauds, 1), np.nan)
    with figure(report, "Day by day", caption, table="windows") as axes:
        for name in dict.fromkeys((RULES, served)):
            shares = daily_card_precision(test, scored.calibrated[name], k)
            axes.plot(days, shares, marker=".", label=f"CP@{k}, {name}")
        axes.plot(days, recall, marker=".", linestyle="--", label="recall, served")
        axes.set(xlabel="day", ylim=(0, 1))
        axes.legend()


def _importance(report: Report, pipeline: Pipeline, scored: Scored) -> None:
    rows = np.flatnonzero(scored.payments.labels == 1)[:2_000]
    added = np.abs(pipeline.served_.model.contributions(scored.features[rows])).mean(0)  # (F,)
    order = np.argsort(added)[-15:]
    caption = "Mean absolute contribution to the log-odds over frauds of the test days."
    with figure(report, "What the model looks at", caption, table="slices") as axes:
        axes.barh(np.array(pipeline.features.names)[order], added[order])
        axes.set(xlabel="contribution to log-odds")
