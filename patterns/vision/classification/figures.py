"""What is drawn of an image classifier: confusion, confidence, training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from common.evaluation import classification as metrics
from common.evaluation.classifier_figures import draw_reliability, draw_training
from common.evaluation.report import Report, figure
from patterns.vision.classification.data import Splits
from patterns.vision.classification.pipeline import Pipeline

MOST_NUMBERED = 20  # classes; beyond, counts do not fit into their cells


def draw(
    report: Report, pipeline: Pipeline, splits: Splits, raw: np.ndarray, final: np.ndarray
) -> None:
    """Draw all figures from probabilities (N, K) of what serves, before and after temperature."""
    labels, history = splits.test.labels, pipeline.served_.history_
    _draw_confusion(report, labels, final.argmax(axis=1), splits.label_names)
    curves = {"network": raw, "after temperature": final}
    draw_reliability(report, labels, curves, table="classification")
    if history is not None:
        draw_training(report, history.valid, table="by class")


def _draw_confusion(
    report: Report, labels: np.ndarray, predicted: np.ndarray, names: Sequence[str]
) -> None:
    counts = metrics.confusion(labels, predicted, classes=len(names))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    caption = "Each row is a true class; its shares say what the model called it."
    with figure(report, "confusion matrix", caption, table="confused pairs", size=(6, 5.4)) as axes:
        axes.grid(visible=False)
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        axes.set_xticks(range(len(names)), names, rotation=60, ha="right")
        axes.set_yticks(range(len(names)), names)
        axes.set_xlabel("predicted")
        axes.set_ylabel("true")
        if len(names) > MOST_NUMBERED:
            return
        for row, column in zip(*np.nonzero(counts), strict=True):
            dark = shares[row, column] > 0.5
            axes.text(
                column, row, f"{counts[row, column]}", ha="center", va="center", fontsize=7,
                color="white" if dark else "black",
            )  # fmt: skip
