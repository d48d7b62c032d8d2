"""What is drawn of a detector: curves, counts, training.

Curves say how precision is traded for recall. The counts show at a glance whether errors are a bias
(off the diagonal) or chance (around it).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from common.evaluation.detection import DetectionScore
from common.evaluation.report import Report, figure
from patterns.vision.detection.entities.images import BoxedImages
from patterns.vision.detection.pipeline import Pipeline
from patterns.vision.detection.stages.counts import count_labels

COLOURS = ("#d62728", "#1f77b4", "#2ca02c", "#ff7f0e", "#9467bd", "#17becf")
"""Of the classes: of more than these, the most frequent have curves, and boxes share colours."""


def draw(
    report: Report,
    pipeline: Pipeline,
    score: DetectionScore,
    counts: np.ndarray,
    part: BoxedImages,
) -> None:
    """Draw all figures; `counts` (I, C) are those served of the part's images."""
    _draw_curves(report, score, pipeline.label_names)
    _draw_counts(report, counts, part, pipeline.label_names)
    _draw_training(report, pipeline)


def _draw_curves(report: Report, score: DetectionScore, names: Sequence[str]) -> None:
    """Draw precision and recall of each class."""
    caption = "Precision against recall of each class at IoU .5; the area is its AP@.5."
    with figure(report, "precision and recall", caption, table="by class") as axes:
        for label in shown_classes(score.true_boxes):
            text = f"{names[label]} {score.average_precision[0, label]:.3f}"
            axes.plot(
                np.linspace(0, 1, score.precision.shape[1]), score.precision[0, :, label],
                color=COLOURS[label % len(COLOURS)], label=text,
            )  # fmt: skip
        axes.set_xlabel("recall")
        axes.set_ylabel("precision")
        axes.set_ylim(0, 1.02)
        axes.legend()


def _draw_counts(
    report: Report, counts: np.ndarray, part: BoxedImages, names: Sequence[str]
) -> None:
    """Draw served against labelled counts."""
    caption = "Objects counted against objects labelled in each image; on the diagonal, it counts."
    with figure(report, "counting", caption, table="counting") as axes:
        top = 1
        labelled = count_labels(part.labels, len(names))
        for label in shown_classes(labelled.sum(axis=0)):
            true, said = labelled[:, label], counts[:, label]
            top = max(top, int(true.max()), int(said.max()))
            axes.plot(
                true, said, "o", alpha=0.4, color=COLOURS[label % len(COLOURS)], label=names[label]
            )
        axes.plot([0, top], [0, top], color="grey", linewidth=1, linestyle="--")
        axes.set_xlabel("labelled")
        axes.set_ylabel("counted")
        axes.legend()


def shown_classes(counts: np.ndarray) -> list[int]:
    """Return the most frequent classes, as many as there are colours, in their own order."""
    most = np.argsort(-counts, kind="stable")[: len(COLOURS)]
    return sorted(label for label in most.tolist() if counts[label])


def _draw_training(report: Report, pipeline: Pipeline) -> None:
    """Draw validation over the epochs."""
    history = pipeline.detector.history_
    if history is None or len(history.valid) < 2:
        return
    epochs = np.arange(1, len(history.valid) + 1)
    caption = "Validation mAP@.5 after each epoch; the best epoch's weights are kept."
    with figure(report, "training", caption, table="by size") as axes:
        axes.plot(epochs, history.valid, marker="o" if len(epochs) < 30 else None)
        axes.set_xlabel("epoch")
        axes.set_ylabel("validation mAP@.5")
