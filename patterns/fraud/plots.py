"""The pictures of the report: precision-recall, reliability, cost against threshold, days."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from common.evaluation.classification import (
    cost_curve,
    precision_recall_curve,
    reliability_curve,
)
from common.evaluation.report import Report, figure
from patterns.fraud.stages.decision import card_precision

if TYPE_CHECKING:
    from patterns.fraud.config import Config
    from patterns.fraud.data import Part
    from patterns.fraud.pipeline import Parts, Pipeline

POINTS = 500


def draw(
    report: Report,
    pipeline: Pipeline,
    parts: Parts,
    scores: dict[str, np.ndarray],
    true: dict[str, np.ndarray],
    config: Config,
) -> None:
    """Add all figures to `report`."""
    _precision_recall(report, pipeline, parts.test, scores, true)
    _reliability(report, parts.test, scores, true)
    _cost(report, pipeline, parts, config)
    _days(report, pipeline, parts.test, true, config)
    _importance(report, pipeline, parts.test)


def _precision_recall(
    report: Report,
    pipeline: Pipeline,
    test: Part,
    scores: dict[str, np.ndarray],
    true: dict[str, np.ndarray],
) -> None:
    caption = "Each point is a threshold; the mark is the one that is served."
    with figure(report, "Precision and recall", caption) as axes:
        for name, values in scores.items():
            curve = precision_recall_curve(test.labels, values)
            keep = np.unique(np.linspace(0, len(curve.x) - 1, 4 * POINTS).astype(int))
            axes.plot(curve.x[keep], curve.y[keep], label=name, linewidth=1.2)
        declined = pipeline.served.decision.decline(true[pipeline.served.name], test.amounts)
        hits = (declined & (test.labels == 1)).sum()
        precision, recall = hits / max(declined.sum(), 1), hits / test.labels.sum()
        axes.plot(recall, precision, marker="o", color="black", linestyle="none")
        axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
        axes.legend(frameon=False, fontsize=8)


def _reliability(
    report: Report, test: Part, scores: dict[str, np.ndarray], true: dict[str, np.ndarray]
) -> None:
    caption = (
        "Share of fraud against the probability that was said; the diagonal is right. Dotted: the"
        " raw scores, which rebalancing pushes far to the right; solid: calibrated on validation."
    )
    with figure(report, "Reliability", caption) as axes:
        for name in (n for n in scores if n.startswith("XGBoost")):
            (line,) = axes.plot(*_bins(test.labels, true[name]), marker=".", label=name)
            axes.plot(*_bins(test.labels, scores[name]), linestyle=":", color=line.get_color())
        axes.plot([0, 1], [0, 1], color="grey", linewidth=0.8)
        axes.set(xlabel="probability said", ylabel="share of fraud")
        axes.legend(frameon=False, fontsize=8)


def _bins(labels: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    curve = reliability_curve(labels, np.clip(values, 0, 1), bins=10)
    enough = curve.count >= 20
    return curve.confidence[enough], curve.frequency[enough]


def _cost(report: Report, pipeline: Pipeline, parts: Parts, config: Config) -> None:
    caption = (
        "Loss to fraud plus friction per 1,000 payments at every threshold, on validation (where"
        " the threshold was chosen) and on test; the dotted line is the threshold served."
        " At the right end everything is accepted."
    )
    never = 0.0
    with figure(report, "Cost against threshold", caption) as axes:
        for name, part in (("validation", parts.valid), ("test", parts.test)):
            curve = cost_curve(
                part.labels,
                pipeline.served.probabilities(part.features),
                false_positive=config.decision.false_positive_cost,
                false_negative=part.amounts,
            )
            keep = (curve.thresholds > 1e-4) & (curve.thresholds <= 1)
            axes.plot(curve.thresholds[keep], 1000 * curve.cost[keep] / len(part), label=name)
            never = max(never, 1000 * float(curve.cost[0]) / len(part))  # accept everything
        axes.axvline(pipeline.served.decision.threshold_, linestyle=":", color="black")
        axes.set(xlabel="threshold", ylabel="cost per 1,000 payments", xscale="log")
        axes.set_ylim(0, 1.1 * never)
        axes.legend(frameon=False)


def _days(
    report: Report,
    pipeline: Pipeline,
    test: Part,
    true: dict[str, np.ndarray],
    config: Config,
) -> None:
    k = config.decision.alerts
    caption = f"Every test day: CP@{k}, and the share of its frauds that were declined."
    days, day_of_row = np.unique(test.days, return_inverse=True)
    declined = pipeline.served.decision.decline(true[pipeline.served.name], test.amounts)
    frauds = np.bincount(day_of_row, test.labels == 1)
    found = np.bincount(day_of_row, declined & (test.labels == 1))
    recall = np.where(frauds > 0, found / np.maximum(frauds, 1), np.nan)
    with figure(report, "Day by day", caption) as axes:
        for name in dict.fromkeys(("rules", pipeline.served.name)):
            shares = card_precision(
                days=test.days,
                customers=test.customers,
                labels=test.labels,
                scores=true[name],
                k=k,
            )
            axes.plot(days, shares, marker=".", label=f"CP@{k}, {name}")
        axes.plot(days, recall, marker=".", linestyle="--", label="recall, served")
        axes.set(xlabel="day", ylim=(0, 1))
        axes.legend(frameon=False, fontsize=8)


def _importance(report: Report, pipeline: Pipeline, test: Part) -> None:
    rows = np.flatnonzero(test.labels == 1)[:2_000]
    added = np.abs(pipeline.served.model.contributions(test.features[rows])).mean(0)  # (F,)
    order = np.argsort(added)[-15:]
    caption = "Mean absolute contribution to the log-odds over frauds of the test days."
    with figure(report, "What the model looks at", caption) as axes:
        axes.barh(np.array(pipeline.features.names)[order], added[order])
        axes.set(xlabel="contribution to log-odds")
