"""What is drawn of an image classifier: confusion, confidence, mistakes, training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from common.evaluation import classification as metrics
from common.evaluation.classifier import surest_mistakes
from common.evaluation.classifier_figures import draw_reliability, draw_training
from common.evaluation.report import Report, add_canvas, figure
from patterns.vision.classification.data import Splits
from patterns.vision.classification.pipeline import Pipeline

COLUMNS = 8  # of the grid of mistakes
MOST_NUMBERED = 20  # classes; beyond, counts do not fit into their cells


def draw(
    report: Report, pipeline: Pipeline, splits: Splits, raw: np.ndarray, final: np.ndarray
) -> None:
    """Draw all figures from probabilities (N, K) of what serves, before and after temperature."""
    labels, history = splits.test.labels, pipeline.served_.history_
    _draw_confusion(report, labels, final.argmax(axis=1), splits.label_names)
    draw_reliability(report, labels, {"network": raw, "after temperature": final})
    _draw_mistakes(report, splits, final)
    if history is not None:
        draw_training(report, history.valid)


def _draw_confusion(
    report: Report, labels: np.ndarray, predicted: np.ndarray, names: Sequence[str]
) -> None:
    counts = metrics.confusion(labels, predicted, classes=len(names))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    caption = "Each row is a true class; its shares say what the model called it."
    with figure(report, "confusion matrix", caption, size=(7.2, 6.4)) as axes:
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


def _draw_mistakes(report: Report, splits: Splits, final: np.ndarray, *, most: int = 24) -> None:
    from matplotlib.figure import Figure

    wrong = surest_mistakes(splits.test.labels, final, most=most)
    if not len(wrong):
        return
    names, predicted, said = splits.label_names, final.argmax(axis=1), final.max(axis=1)
    lines = -(-len(wrong) // COLUMNS)
    canvas = Figure(figsize=(8.8, 1.55 * lines), dpi=110, layout="constrained")
    grid = canvas.subplots(lines, COLUMNS, squeeze=False).ravel()
    for axes in grid:
        axes.axis("off")
    for axes, row in zip(grid, wrong, strict=False):
        axes.imshow(splits.test.images[row], cmap="gray")
        true, guess = names[splits.test.labels[row]], names[predicted[row]]
        axes.set_title(f"{true}\nsaid {guess} {said[row]:.2f}", fontsize=6)
    caption = "The mistakes made with the most confidence: wrong labels are found here first."
    add_canvas(report, "surest mistakes", caption, canvas)
