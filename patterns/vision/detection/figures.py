"""What is drawn of a detector: boxes, curves, counts, training.

Curves say how precision is traded for recall, the grid of test images shows what the figures mean:
it runs from the best image to the worst, evenly spaced, so that nobody picks the good ones.
Found boxes are solid in the colour of their class, true boxes dashed and white. The counts show at
a glance whether errors are a bias (off the diagonal) or chance (around it).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from common.evaluation.detection import DetectionScore
from common.evaluation.report import Report, add_canvas, figure
from patterns.vision.detection.entities.images import BoxedImages
from patterns.vision.detection.pipeline import Pipeline
from patterns.vision.detection.stages.counts import count_labels
from patterns.vision.detection.stages.postprocess import Detections, match

if TYPE_CHECKING:
    from matplotlib.axes import Axes


COLOURS = ("tab:red", "tab:blue", "tab:green", "tab:orange", "tab:purple", "tab:cyan")
"""Of the classes: of more than these, the most frequent have curves, and boxes share colours."""


def draw(
    report: Report,
    pipeline: Pipeline,
    score: DetectionScore,
    kept: Sequence[Detections],
    counts: np.ndarray,
    part: BoxedImages,
) -> None:
    """Draw all figures; `kept` are the detections of the part's images, `counts` (I, C) theirs."""
    _draw_curves(report, score, pipeline.label_names)
    _draw_images(report, kept, part, pipeline.label_names)
    _draw_counts(report, counts, part, pipeline.label_names)
    _draw_training(report, pipeline)


def _draw_curves(report: Report, score: DetectionScore, names: Sequence[str]) -> None:
    """Draw precision and recall of each class."""
    caption = "Precision against recall of each class at IoU .5; the area is its AP@.5."
    with figure(report, "precision and recall", caption) as axes:
        for label in _shown(score.true_boxes):
            text = f"{names[label]} {score.average_precision[0, label]:.3f}"
            axes.plot(
                np.linspace(0, 1, score.precision.shape[1]), score.precision[0, :, label],
                color=COLOURS[label % len(COLOURS)], label=text,
            )  # fmt: skip
        axes.set_xlabel("recall")
        axes.set_ylabel("precision")
        axes.set_ylim(0, 1.02)
        axes.legend()


def _draw_images(
    report: Report,
    kept: Sequence[Detections],
    part: BoxedImages,
    names: Sequence[str],
    *,
    most: int = 9,
) -> None:
    """Show evenly spaced test images from the best to the worst by F1."""
    from matplotlib.figure import Figure

    quality = np.array(
        [_f1(k, b, t) for k, b, t in zip(kept, part.boxes, part.labels, strict=True)]
    )
    order = np.argsort(-quality, kind="stable")
    count = min(most, len(order))
    chosen = order[np.linspace(0, len(order) - 1, count).round().astype(int)]
    canvas = Figure(figsize=(10.5, 2.9 * -(-count // 3)), dpi=110, layout="constrained")
    grid = canvas.subplots(-(-count // 3), 3, squeeze=False).ravel()
    for axes in grid:
        axes.axis("off")
    for axes, row in zip(grid, chosen, strict=False):
        axes.imshow(part.images[row])
        axes.set_title(f"F1 {quality[row]:.2f}", fontsize=8)
        _draw_boxes(axes, part.boxes[row], part.labels[row], dashed=True)
        _draw_boxes(axes, kept[row].boxes, kept[row].labels, dashed=False)
    drawn = np.bincount(np.concatenate([each.labels for each in kept]), minlength=len(names))
    legend = ", ".join(
        f"{names[label]} {COLOURS[label % len(COLOURS)].split(':')[1]}" for label in _shown(drawn)
    )
    caption = f"From the best to the worst. Solid: found; dashed white: true. {legend}."
    add_canvas(report, "found and true boxes", caption, canvas)


def _draw_boxes(axes: Axes, boxes: np.ndarray, labels: np.ndarray, *, dashed: bool) -> None:
    from matplotlib.patches import Rectangle

    for (x0, y0, x1, y1), label in zip(boxes, labels, strict=True):
        colour = "white" if dashed else COLOURS[label % len(COLOURS)]
        axes.add_patch(
            Rectangle(
                (x0, y0),
                x1 - x0,
                y1 - y0,
                fill=False,
                edgecolor=colour,
                linewidth=0.9 if dashed else 1.3,
                linestyle="--" if dashed else "-",
            )  # fmt: skip
        )


def _f1(found: Detections, boxes: np.ndarray, labels: np.ndarray) -> float:
    right = int((match(found, boxes, labels) >= 0).sum())
    return 2 * right / max(1, len(found.scores) + len(boxes))


def _draw_counts(
    report: Report, counts: np.ndarray, part: BoxedImages, names: Sequence[str]
) -> None:
    """Draw served against labelled counts."""
    caption = "Objects counted against objects labelled in each image; on the diagonal, it counts."
    with figure(report, "counting", caption) as axes:
        top = 1
        labelled = count_labels(part.labels, len(names))
        for label in _shown(labelled.sum(axis=0)):
            true, said = labelled[:, label], counts[:, label]
            top = max(top, int(true.max()), int(said.max()))
            axes.plot(
                true, said, "o", alpha=0.4, color=COLOURS[label % len(COLOURS)], label=names[label]
            )
        axes.plot([0, top], [0, top], color="grey", linewidth=1, linestyle="--")
        axes.set_xlabel("labelled")
        axes.set_ylabel("counted")
        axes.legend()


def _shown(counts: np.ndarray) -> list[int]:
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
    with figure(report, "training", caption) as axes:
        axes.plot(epochs, history.valid, marker="o" if len(epochs) < 30 else None)
        axes.set_xlabel("epoch")
        axes.set_ylabel("validation mAP@.5")
