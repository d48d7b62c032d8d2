"""What is drawn of a segmenter: outlines, counts, training.

Test images with the outlines that were found, from the worst to the best, so that nobody picks the
good ones; counts against the truth; the spread of the IoU, whose left tail a mean hides; and how
training went.
"""

from __future__ import annotations

import numpy as np

from common.evaluation.report import Report, add_canvas, figure
from patterns.vision.segmentation.entities.images import MaskedImages
from patterns.vision.segmentation.evaluation.found import Found, count_objects
from patterns.vision.segmentation.pipeline import Pipeline


def draw(report: Report, pipeline: Pipeline, test: MaskedImages, base: Found, final: Found) -> None:
    """Draw all figures."""
    _draw_images(report, test, base, final)
    _draw_counts(report, test, base, final)
    _draw_scores(report, test, base, final)
    _draw_training(report, pipeline)


def _draw_images(report: Report, test: MaskedImages, base: Found, final: Found) -> None:
    """Show the worst, some middling and the best images with their outlines."""
    from matplotlib.figure import Figure

    order = np.argsort(final.iou, kind="stable")
    places = np.unique(np.linspace(0, len(order) - 1, 6).round().astype(int))
    chosen = order[places]
    canvas = Figure(figsize=(8.6, 2.2 * len(chosen)), dpi=100, layout="constrained")
    grid = canvas.subplots(len(chosen), 4, squeeze=False)
    for line, image in zip(grid, chosen, strict=True):
        shown = (
            ("image", None),
            (f"truth: {count_objects([test.masks[image]])[0]} objects", test.masks[image]),
            (f"otsu: IoU {base.iou[image]:.2f}", base.labels[image]),
            (f"ours: IoU {final.iou[image]:.2f}, {final.counts[image]}", final.labels[image]),
        )
        for axes, (title, labels) in zip(line, shown, strict=True):
            axes.imshow(
                test.images[image] if labels is None else outlined(test.images[image], labels)
            )
            axes.set_title(title, fontsize=8)
            axes.axis("off")
    caption = "From the worst test image to the best; outlines of the separated objects."
    add_canvas(report, "pictures", caption, canvas)


def outlined(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Draw the border of each object of a label map (H, W) into a uint8 image (H, W, 3)."""
    from scipy.ndimage import maximum_filter, minimum_filter

    border = (minimum_filter(labels, 3) != maximum_filter(labels, 3)) & (labels > 0)
    drawn = image.copy()
    drawn[border] = (255, 190, 0)
    return drawn


def _draw_counts(report: Report, test: MaskedImages, base: Found, final: Found) -> None:
    true = count_objects(test.masks)
    caption = "Objects counted against objects there are; on the diagonal, the count is right."
    with figure(report, "counts", caption) as axes:
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
    with figure(report, "IoU by image", caption) as axes:
        axes.hist(base.iou, bins=bins, alpha=0.5, label="otsu")
        axes.hist(final.iou, bins=bins, alpha=0.7, label="ours")
        axes.set_xlabel("IoU of an image")
        axes.set_ylabel(f"images of {len(test)}")
        axes.legend()


def _draw_training(report: Report, pipeline: Pipeline) -> None:
    history = pipeline.network.history_ if pipeline.network else None
    if history is None or len(history.valid) < 2:
        return
    caption = "Mean IoU on validation images after each epoch; the best epoch's weights are kept."
    with figure(report, "training", caption) as axes:
        axes.plot(np.arange(1, len(history.valid) + 1), history.valid)
        axes.set_xlabel("epoch")
        axes.set_ylabel("validation IoU")
