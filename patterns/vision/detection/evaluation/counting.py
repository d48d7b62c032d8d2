"""How good a counter the detector is: what a laboratory, or a shop, would use it for.

Shapes: I images, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from common.evaluation.bootstrap import interval
from common.evaluation.report import Estimate, Row, Table
from patterns.vision.detection.data import Splits
from patterns.vision.detection.entities.images import BoxedImages
from patterns.vision.detection.pipeline import Pipeline
from patterns.vision.detection.stages.postprocess import Detections


def count_errors(kept: Sequence[Detections], part: BoxedImages, classes: int) -> np.ndarray:
    """Return the absolute difference of found and true counts, image by class (I, C)."""
    return np.abs(_counts([each.labels for each in kept], classes) - _counts(part.labels, classes))


def counting(pipeline: Pipeline, kept: Sequence[Detections], splits: Splits) -> Table:
    """Mean absolute error of the count of each class, against always saying the usual count."""
    classes = len(pipeline.label_names)
    true = _counts(splits.test.labels, classes)
    said = _counts([each.labels for each in kept], classes)
    usual = np.median(_counts(splits.train.labels, classes), axis=0)  # (C,)
    errors = count_errors(kept, splits.test, classes)
    rows = [
        Row(
            name,
            {
                "mean true": float(true[:, label].mean()),
                "mean found": float(said[:, label].mean()),
                "error of the usual count": float(np.abs(true[:, label] - usual[label]).mean()),
                "error": Estimate(
                    float(errors[:, label].mean()), *interval(errors[:, label], seed=pipeline.seed)
                ),
                "exact": float((errors[:, label] == 0).mean()),
            },
        )
        for label, name in enumerate(pipeline.label_names)
        if true[:, label].any() or said[:, label].any()
    ]
    columns = ("mean true", "mean found", "error of the usual count", "error", "exact")
    caption = "Objects an image; the usual count is the median of the training images."
    if len(rows) < classes:
        caption += f" {classes - len(rows)} classes are neither in the test nor found there."
    return Table("counting", columns, tuple(rows), caption)


def _counts(labels: Sequence[np.ndarray], classes: int) -> np.ndarray:
    """Count the objects of each class in each image: (I, C)."""
    return np.array([np.bincount(each, minlength=classes) for each in labels])
