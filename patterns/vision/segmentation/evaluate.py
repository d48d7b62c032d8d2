"""How good the segmenter is: against Otsu's threshold, in pixels and in objects.

Headline: IoU and Dice per image, averaged (each image counts alike), with intervals that resample
whole slides, since tiles of one slide are not independent; pooled IoU (each pixel counts alike);
the share of objects found, TP / (TP + FP + FN) at an IoU of one half; and the error of the count.
Then by modality, by how full the image is, and what splitting touching objects brings. The test
images are run through the network once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from common.evaluation.bootstrap import interval_of
from common.evaluation.latency import measure
from common.evaluation.report import Estimate, Report, Row, Table, Value
from patterns.vision.segmentation.config import NAME
from patterns.vision.segmentation.evaluation.found import Found, count_objects, judge
from patterns.vision.segmentation.figures import draw

if TYPE_CHECKING:
    from patterns.vision.segmentation.data import Part, Splits
    from patterns.vision.segmentation.pipeline import Pipeline

BUDGET_MS = 500.0
TIMED_IMAGES = 40
COLUMNS = ("IoU", "pooled IoU", "Dice", "objects found", "count error", "weights")


def evaluate(pipeline: Pipeline, splits: Splits) -> Report:
    """Measure a fitted pipeline on the test images."""
    test = splits.test
    base, joined, final = compare(pipeline, test)
    report = Report(NAME, splits.source, notices=[*splits.notices, *pipeline.notices])
    report.tables = [
        headline(pipeline, splits, base, joined, final),
        by_slice(test, base, final),
    ]
    report.latency = [
        measure(
            "segment", lambda image: pipeline.segment([image]), test.images[:TIMED_IMAGES],
            budget_ms=BUDGET_MS, warm_up=3,
        )
    ]  # fmt: skip
    draw(report, pipeline, test, base, final)
    return report


def compare(pipeline: Pipeline, test: Part) -> tuple[Found, Found, Found]:
    """Judge the baseline, the pipeline without splitting touching objects, and all of it."""
    post = pipeline.postprocess
    otsu = pipeline.baseline.predict(test.images)
    masks = [post.mask(each) for each in pipeline.probabilities(test.images)]
    return (
        judge(test, [post.separate(mask, split=False) for mask in otsu]),
        judge(test, [post.separate(mask, split=False) for mask in masks]),
        judge(test, [post.separate(mask) for mask in masks]),
    )


def headline(pipeline: Pipeline, splits: Splits, base: Found, joined: Found, final: Found) -> Table:
    """Return the table of the three, the baseline first."""
    test, post, seed = splits.test, pipeline.postprocess, pipeline.seed
    weights = pipeline.network.parameters() if pipeline.network else 0
    name = "unet" if pipeline.network else "otsu, tuned"
    rows = (
        _row("otsu", base, test, weights=0, seed=seed, baseline=True),
        _row(name, joined, test, weights=weights, seed=seed),
        _row("+ splitting", final, test, weights=weights, seed=seed),
    )
    caption = (
        f"{len(test)} test images of {len(np.unique(test.groups))} slides; 95 % intervals over"
        f" slides. Threshold {post.threshold_}, smoothing {post.smoothing_}, smallest object"
        f" {post.smallest_} pixels, chosen on {len(splits.valid)} validation images."
    )
    return Table("segmentation", COLUMNS, rows, caption)


def _row(
    name: str, found: Found, test: Part, *, weights: int, seed: int, baseline: bool = False
) -> Row:
    true = count_objects(test.masks)
    error = np.abs(found.counts - true) / np.maximum(true, 1)
    values: dict[str, Value] = {
        "IoU": _estimate(found.iou, test.groups, seed),
        "pooled IoU": found.pooled_iou,
        "Dice": _estimate(found.dice, test.groups, seed),
        "objects found": _estimate(found.objects, test.groups, seed),
        "count error": f"{np.median(error):.1%} median",
        "weights": float(weights) if weights else None,
    }
    return Row(name, values, baseline=baseline)


def _estimate(values: np.ndarray, groups: np.ndarray, seed: int) -> Estimate:
    ends = interval_of(lambda rows: float(np.mean(rows)), values, groups=groups, seed=seed)
    return Estimate(float(values.mean()), *ends)


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
