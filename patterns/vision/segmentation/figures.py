"""What is drawn of a segmenter: counts, scores, training.

Of objects: counts against the truth, and the spread of the IoU, whose left tail a mean hides. Of
classes: the IoU of each class. And how training went. `outlined` and `coloured` draw masks for the
examples.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from common.evaluation.report import Report, figure
from common.evaluation.segmentation import confusion_iou
from patterns.vision.segmentation.data import Splits
from patterns.vision.segmentation.entities.images import MaskedImages
from patterns.vision.segmentation.evaluation import classes
from patterns.vision.segmentation.evaluation.found import Found, count_objects
from patterns.vision.segmentation.pipeline import Pipeline
from patterns.vision.segmentation.stages.training import Segmenter

PALETTE = "tab20"  # its twenty colours, used again for more classes
OUTLINE = (255, 190, 0)


def draw(report: Report, pipeline: Pipeline, test: MaskedImages, base: Found, final: Found) -> None:
    """Draw the figures of objects."""
    _draw_counts(report, test, base, final)
    _draw_scores(report, test, base, final)
    _draw_training(report, pipeline)


def _draw_counts(report: Report, test: MaskedImages, base: Found, final: Found) -> None:
    true = count_objects(test.masks)
    caption = "Objects counted against objects there are; on the diagonal, the count is right."
    with figure(report, "counts", caption, table="segmentation") as axes:
        most = max(int(true.max()), int(final.counts.max()), 1)
        axes.plot([0, most], [0, most], color="grey", linewidth=1, linestyle="--")
        axes.scatter(true, base.counts, s=12, alpha=0.5, label="otsu")
        axes.scatter(true, final.counts, s=12, alpha=0.8, label="ours")
        axes.set_xlim(0, most * 1.05)
        axes.set_ylim(0, most * 1.3)
        axes.set_xlabel("objects there are")
        axes.set_ylabel("objects counted")
        axes.legend()


def _draw_scores(report: Report, test: MaskedImages, base: Found, final: Found) -> None:
    caption = "How the IoU is spread over test images: the left tail is what a mean hides."
    bins = np.linspace(0, 1, 26).tolist()
    with figure(report, "IoU by image", caption, table="by slice") as axes:
        axes.hist(base.iou, bins=bins, alpha=0.5, label="otsu")
        axes.hist(final.iou, bins=bins, alpha=0.7, label="ours")
        axes.set_xlabel("IoU of an image")
        axes.set_ylabel(f"images of {len(test)}")
        axes.legend()


def draw_classes(
    report: Report, pipeline: Pipeline, splits: Splits, base: classes.Found, final: classes.Found
) -> None:
    """Draw the figures of classes."""
    assert splits.classes is not None
    names = splits.classes.names
    _draw_class_scores(report, names, base, final)
    _draw_training(report, pipeline)


def _draw_class_scores(
    report: Report, names: Sequence[str], base: classes.Found, final: classes.Found
) -> None:
    after = confusion_iou(final.confusion)
    order = [number for number in np.argsort(after) if not np.isnan(after[number])][-40:]
    caption = "IoU of each class over all test images: a mean hides the rare ones."
    with figure(report, "IoU by class", caption, table="by class") as axes:
        place = np.arange(len(order))
        before = np.nan_to_num(confusion_iou(base.confusion))[order]
        axes.barh(place - 0.2, before, height=0.4, alpha=0.6, label="place and colour")
        axes.barh(place + 0.2, after[order], height=0.4, label="ours")
        axes.set_yticks(place, [names[number] for number in order])
        axes.set_xlim(0, 1)
        axes.set_xlabel("IoU")
        axes.legend()


def _draw_training(report: Report, pipeline: Pipeline) -> None:
    stage, _ = pipeline.learned()
    history = stage.history_ if isinstance(stage, Segmenter) else None
    if history is None or len(history.valid) < 2:
        return
    caption = "Mean IoU on validation images after each epoch; the best epoch's weights are kept."
    with figure(report, "training", caption, table="segmentation") as axes:
        axes.plot(np.arange(1, len(history.valid) + 1), history.valid)
        axes.set_xlabel("epoch")
        axes.set_ylabel("validation IoU")


def outlined(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Draw the border of each object of a label map (H, W) into a uint8 image (H, W, 3)."""
    from scipy.ndimage import maximum_filter, minimum_filter

    border = (minimum_filter(labels, 3) != maximum_filter(labels, 3)) & (labels > 0)
    drawn = image.copy()
    drawn[border] = OUTLINE
    return drawn


def coloured(labels: np.ndarray, count: int) -> np.ndarray:
    """Colour class numbers below `count` (H, W), anything else black: uint8 (H, W, 3)."""
    from matplotlib import colormaps

    colours = colormaps[PALETTE](np.arange(20))[:, :3]  # (20, 3)
    known = labels < count
    drawn = colours[np.where(known, labels, 0) % len(colours)] * known[..., None]
    return (255 * drawn).astype(np.uint8)
