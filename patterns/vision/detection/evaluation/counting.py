"""How good a counter the detector is: what a laboratory, or a shop, would use it for.

Three counts are compared by their mean absolute error: always the usual one (the median of the
training images), the number of boxes shown, and the count served: the boxes, or a regression.

Shapes: I images, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from common.evaluation.bootstrap import interval, paired_difference
from common.evaluation.report import Estimate, Row, Table, Value
from patterns.vision.detection.data import Splits
from patterns.vision.detection.pipeline import Pipeline
from patterns.vision.detection.stages.counts import count_labels
from patterns.vision.detection.stages.postprocess import Detections

COLUMNS = ("mean true", "usual count", "boxes", "count", "count − usual", "exact", "by")


def counting(
    pipeline: Pipeline, counts: np.ndarray, kept: Sequence[Detections], splits: Splits
) -> Table:
    """Compare the served counts (I, C) of the test images with the usual ones, class by class."""
    classes, seed = len(pipeline.label_names), pipeline.seed
    true = count_labels(splits.test.labels, classes)
    boxes = count_labels([each.labels for each in kept], classes)
    usual = np.median(count_labels(splits.train.labels, classes), axis=0)  # (C,)
    regressed = pipeline.counts.regressed_ & (pipeline.served_ == "yolo")
    rows = []
    for label, name in enumerate(pipeline.label_names):
        if not (true[:, label].any() or boxes[:, label].any()):
            continue
        by_usual, by_boxes, by_count = (
            np.abs(said - true[:, label])
            for said in (usual[label], boxes[:, label], counts[:, label])
        )  # (I,)
        values: dict[str, Value] = {
            "mean true": float(true[:, label].mean()),
            "usual count": float(by_usual.mean()),
            "boxes": float(by_boxes.mean()),
            "count": Estimate(float(by_count.mean()), *interval(by_count, seed=seed)),
            "count − usual": Estimate(*paired_difference(by_count, by_usual, seed=seed)[:3]),
            "exact": float((by_count == 0).mean()),
            "by": "regression" if regressed[label] else "boxes",
        }
        rows.append(Row(name, values))
    caption = (
        "Mean absolute error, objects an image: of the median of the training images, of the number"
        " of boxes shown, of the count served. Below 0, the count is better than the usual one."
    )
    if len(rows) < classes:
        caption += f" {classes - len(rows)} classes are neither in the test nor found there."
    return Table("counting", COLUMNS, tuple(rows), caption)
