"""What is drawn of a text classifier: confidence, cost, classes, training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from common.evaluation import classification as metrics
from common.evaluation.classifier_figures import draw_reliability, draw_training
from common.evaluation.report import Estimate, Report, Row, figure
from patterns.nlp.classification.data import Splits
from patterns.nlp.classification.pipeline import Pipeline


def draw(
    report: Report, pipeline: Pipeline, splits: Splits, models: Mapping[str, np.ndarray]
) -> None:
    """Draw all figures; `models` are the probabilities (N, C) by row of the headline table."""
    labels, base, final = splits.test.labels, *(list(models.values())[place] for place in (0, -1))
    model = models[pipeline.model_.name] if pipeline.model_ else final
    # ONNX Runtime has the same curve as the model it was exported from
    curves = {name: each for name, each in models.items() if "ONNX Runtime" not in name}
    draw_reliability(report, labels, curves, table="slices", bins=10)
    _draw_cost(report, report.tables[0].rows)
    _draw_classes(report, labels, base, model)
    if pipeline.model_ is not None and pipeline.model_.history_ is not None:
        axis = "minus log loss" if pipeline.model_ is pipeline.features else "validation score"
        scores, table = pipeline.model_.history_.valid, "model against baseline"
        draw_training(report, scores, score="score", axis=axis, table=table)


def _draw_cost(report: Report, rows: Sequence[Row]) -> None:
    caption = "What accuracy costs: up is better, left is cheaper; bars are 95 % intervals."
    with figure(report, "accuracy and latency", caption, table=report.tables[0].name) as axes:
        for row in rows[:-1]:  # the last is one of the others with its temperature
            score, time = row.values["accuracy"], row.values["p50 ms"]
            assert isinstance(score, Estimate) and isinstance(time, float)
            spread = [[score.value - (score.low or 0)], [(score.high or 0) - score.value]]
            axes.errorbar(time, score.value, yerr=spread, marker="o", capsize=3, label=row.name)
        axes.set_xscale("log")
        axes.set_xlabel("milliseconds a text (median)")
        axes.set_ylabel("accuracy")
        axes.legend()


def _draw_classes(report: Report, labels: np.ndarray, base: np.ndarray, model: np.ndarray) -> None:
    classes = base.shape[1]
    theirs = metrics.precision_recall_f1(labels, base.argmax(axis=1), classes=classes)
    ours = metrics.precision_recall_f1(labels, model.argmax(axis=1), classes=classes)
    caption = "Each dot is a class; above the line the model is better than the baseline."
    with figure(report, "F1 by class", caption, table="by class", size=(4.6, 4.6)) as axes:
        axes.scatter(theirs.f1_per_class, ours.f1_per_class, s=18, alpha=0.7)
        low = float(min(theirs.f1_per_class.min(), ours.f1_per_class.min())) - 0.02
        axes.plot([low, 1], [low, 1], color="grey", linewidth=1, linestyle="--")
        axes.set_xlabel("F1 of TF-IDF + LR")
        axes.set_ylabel("F1 of the model")
