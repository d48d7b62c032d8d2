"""How much of the objects is marked and how many are found, and what the network gains by it.

Intervals resample whole groups, since tiles of one slide are not independent.
"""

from __future__ import annotations

import numpy as np

from common.evaluation.bootstrap import interval_of
from common.evaluation.report import Estimate, Row, Table, Value
from patterns.vision.segmentation.data import Splits
from patterns.vision.segmentation.entities.images import MaskedImages
from patterns.vision.segmentation.evaluation.found import Found, count_objects
from patterns.vision.segmentation.pipeline import Pipeline
from patterns.vision.segmentation.stages.postprocess import Postprocess
from patterns.vision.segmentation.stages.training import Segmenter

COLUMNS = ("IoU", "pooled IoU", "Dice", "objects found", "count error", "weights")


def headline(pipeline: Pipeline, splits: Splits, base: Found, joined: Found, final: Found) -> Table:
    """Return the table of the three, the baseline first."""
    test, post, seed = splits.test, pipeline.postprocess, pipeline.seed
    stage, _ = pipeline.learned()
    weights = stage.parameters() if isinstance(stage, Segmenter) else 0
    name, last = "unet" if weights else "otsu, tuned", "+ splitting"
    served = weights if pipeline.network else 0
    if pipeline.rejected_ is not None:
        last = "otsu + splitting"
    rows = (
        _row("otsu", base, test, weights=0, seed=seed, baseline=True),
        _row(name, joined, test, weights=weights, seed=seed),
        _row(last, final, test, weights=served, seed=seed),
    )
    assert isinstance(post, Postprocess)
    units = splits.units
    of = "" if units == "images" else f" of {len(np.unique(test.groups))} {units}"
    caption = (
        f"{len(test)} test images{of}; 95 % intervals over {units}. Threshold {post.threshold_},"
        f" smoothing {post.smoothing_}, smallest object {post.smallest_} pixels, chosen on"
        f" {len(splits.valid)} validation images."
    )
    return Table("segmentation", COLUMNS, rows, caption)


def against_baseline(test: MaskedImages, base: Found, final: Found, *, seed: int) -> Table:
    """Compare image by image, which is sharper than comparing two intervals."""
    gained = {
        "IoU gained": final.iou - base.iou,
        "Dice gained": final.dice - base.dice,
        "objects found gained": final.objects - base.objects,
    }
    values: dict[str, Value] = {
        name: estimate(by_image, test.groups, seed) for name, by_image in gained.items()
    }
    values["images with a higher IoU"] = float((final.iou > base.iou).sum())
    values["images with a lower IoU"] = float((final.iou < base.iou).sum())
    rows = tuple(Row(name, {"value": value}) for name, value in values.items())
    caption = "Paired over the test images, means over images; intervals resample groups of them."
    return Table("model against baseline", ("value",), rows, caption)


def gain(found: Found, base: Found, test: MaskedImages, *, seed: int) -> Estimate:
    """Return how far the IoU lies above the baseline's, on the same images."""
    return estimate(found.iou - base.iou, test.groups, seed)


def _row(
    name: str, found: Found, test: MaskedImages, *, weights: int, seed: int, baseline: bool = False
) -> Row:
    true = count_objects(test.masks)
    error = np.abs(found.counts - true) / np.maximum(true, 1)
    values: dict[str, Value] = {
        "IoU": estimate(found.iou, test.groups, seed),
        "pooled IoU": found.pooled_iou,
        "Dice": estimate(found.dice, test.groups, seed),
        "objects found": estimate(found.objects, test.groups, seed),
        "count error": f"{np.median(error):.1%} median",
        "weights": float(weights) if weights else None,
    }
    return Row(name, values, baseline=baseline)


def estimate(values: np.ndarray, groups: np.ndarray, seed: int) -> Estimate:
    """Return the mean of values (N,) with an interval that resamples whole `groups` (N,)."""
    ends = interval_of(lambda rows: float(np.mean(rows)), values, groups=groups, seed=seed)
    return Estimate(float(values.mean()), *ends)
