"""What the segmenter is worth: against Otsu's threshold, in pixels and in objects.

Headline: IoU and Dice per image, averaged (each image counts alike), with intervals that resample
whole slides, since tiles of one slide are not independent; pooled IoU (each pixel counts alike);
the share of objects found, TP / (TP + FP + FN) at an IoU of one half; and the error of the count.
Then by modality, by how full the image is, and what splitting touching objects brings. The test
images are run through the network once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from common.evaluation import segmentation as metrics
from common.evaluation.bootstrap import interval_of
from common.evaluation.latency import measure
from common.evaluation.report import Estimate, Report, Row, Table, Value, add_canvas, figure

if TYPE_CHECKING:
    from patterns.vision.segmentation.data import Part, Splits
    from patterns.vision.segmentation.pipeline import Pipeline

BUDGET_MS = 500.0
TIMED_IMAGES = 40
COLUMNS = ("IoU", "pooled IoU", "Dice", "objects found", "count error", "weights")


@dataclass(frozen=True)
class Found:
    """What one method found in the test images, one entry an image."""

    labels: list[np.ndarray]
    iou: np.ndarray
    dice: np.ndarray
    objects: np.ndarray
    """TP / (TP + FP + FN) at an IoU of one half."""
    counts: np.ndarray
    pooled_iou: float


def evaluate(pipeline: Pipeline, splits: Splits, *, seed: int = 0) -> Report:
    """Measure a fitted pipeline on the test images."""
    test, post = splits.test, pipeline.postprocess
    simple = replace(post, smoothing=0.0)
    base = judge(test, [simple.separate(mask) for mask in pipeline.baseline.predict(test.images)])
    maps = pipeline.probabilities(test.images)
    joined = judge(test, [simple.instances(each) for each in maps])
    final = judge(test, [post.instances(each) for each in maps])

    report = Report(
        "vision/segmentation", splits.source, notices=[*pipeline.notices, splits.notice]
    )
    weights = pipeline.network.parameters() if pipeline.network else 0
    name = "unet" if pipeline.network else "otsu, tuned"
    true = count_objects(test.masks)
    rows = (
        row("otsu", base, true, test.groups, weights=0, seed=seed, baseline=True),
        row(name, joined, true, test.groups, weights=weights, seed=seed),
        row("+ splitting", final, true, test.groups, weights=weights, seed=seed),
    )
    caption = (
        f"{len(test)} test images of {len(np.unique(test.groups))} slides; 95 % intervals over"
        f" slides. Threshold {post.threshold}, smoothing {post.smoothing}, smallest object"
        f" {post.smallest} pixels, chosen on {len(splits.valid)} validation images."
    )
    report.tables = [
        Table("segmentation", COLUMNS, rows, caption),
        by_slice(test, base, final),
    ]
    report.latency = [
        measure(
            "segment", lambda image: pipeline.segment([image]), test.images[:TIMED_IMAGES],
            budget_ms=BUDGET_MS, warm_up=3,
        )
    ]  # fmt: skip
    _draw_pictures(report, test, base, final)
    _draw_counts(report, true, base, final)
    _draw_scores(report, test, base, final)
    _draw_training(report, pipeline)
    return report


def judge(test: Part, labels: list[np.ndarray]) -> Found:
    """Compare label maps with the truth, image by image."""
    said = [each > 0 for each in labels]
    true = [each > 0 for each in test.masks]
    return Found(
        labels,
        metrics.iou(said, true),
        metrics.dice(said, true),
        metrics.instance_precision(labels, test.masks)[:, 0],
        count_objects(labels),
        metrics.pooled_iou(said, true),
    )


def count_objects(labels: Sequence[np.ndarray]) -> np.ndarray:
    """Return the number of objects in each label map (N,), gaps in the numbering allowed."""
    return np.array([len(np.unique(each[each > 0])) for each in labels])


def row(
    name: str, found: Found, true_counts: np.ndarray, groups: np.ndarray, *, weights: int,
    seed: int, baseline: bool = False,
) -> Row:  # fmt: skip
    """Make one line of the headline table."""
    error = np.abs(found.counts - true_counts) / np.maximum(true_counts, 1)
    values: dict[str, Value] = {
        "IoU": Estimate(float(found.iou.mean()), *_interval(found.iou, groups, seed)),
        "pooled IoU": found.pooled_iou,
        "Dice": Estimate(float(found.dice.mean()), *_interval(found.dice, groups, seed)),
        "objects found": Estimate(
            float(found.objects.mean()), *_interval(found.objects, groups, seed)
        ),
        "count error": f"{np.median(error):.1%} median",
        "weights": float(weights) if weights else None,
    }
    return Row(name, values, baseline=baseline)


def _interval(values: np.ndarray, groups: np.ndarray, seed: int) -> tuple[float, float]:
    return interval_of(lambda rows: float(np.mean(rows)), values, groups=groups, seed=seed)


def by_slice(test: Part, base: Found, final: Found) -> Table:
    """Slice by modality and by how many objects an image holds."""
    true = count_objects(test.masks)
    kinds = np.array(test.kinds)
    slices = {f"{kind} images": kinds == kind for kind in np.unique(kinds)}
    low, high = np.quantile(true, [1 / 3, 2 / 3])
    slices |= {
        f"few objects (up to {low:.0f})": true <= low,
        "a middling number": (true > low) & (true <= high),
        f"many objects (above {high:.0f})": true > high,
    }
    rows = [
        Row(
            name,
            {
                "otsu IoU": float(base.iou[chosen].mean()),
                "IoU": float(final.iou[chosen].mean()),
                "worst IoU": float(final.iou[chosen].min()),
                "objects found": float(final.objects[chosen].mean()),
                "images": float(chosen.sum()),
            },
        )
        for name, chosen in slices.items()
        if chosen.any()
    ]
    columns = ("otsu IoU", "IoU", "worst IoU", "objects found", "images")
    return Table("by slice", columns, tuple(rows), "Test images by modality and by content.")


def _draw_pictures(report: Report, test: Part, base: Found, final: Found) -> None:
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


def _draw_counts(report: Report, true: np.ndarray, base: Found, final: Found) -> None:
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


def _draw_scores(report: Report, test: Part, base: Found, final: Found) -> None:
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
