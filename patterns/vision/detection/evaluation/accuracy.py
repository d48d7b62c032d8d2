"""How much is found and how much of it is right: mAP, precision, recall, and the same by class.

Shapes: I images, C classes, S resamples.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from common.evaluation.bootstrap import interval
from common.evaluation.detection import DetectionScore
from common.evaluation.report import Estimate, Row, Table, Value
from patterns.vision.detection.entities.images import BoxedImages
from patterns.vision.detection.pipeline import Pipeline
from patterns.vision.detection.stages.counts import count_labels
from patterns.vision.detection.stages.postprocess import Detections, average_precision, match

RESAMPLES, FEWEST_RESAMPLES = 200, 50
RESAMPLED_IMAGES = 100_000  # in all: fewer resamples of a large test, whose intervals are narrow
COLUMNS = ("mAP@.5", "mAP@.5:.95", "precision", "recall", "count error", "weights")


@dataclass(frozen=True)
class Measured:
    """A score and the ends of its intervals: mAP@.5, mAP@.5:.95, then AP@.5 by class (2 + C,)."""

    score: DetectionScore
    low: np.ndarray
    high: np.ndarray
    resampled: np.ndarray
    """mAP@.5 (S,) of each resample; of one seed and part all have the same."""

    @classmethod
    def of(
        cls, found: Sequence[Detections], part: BoxedImages, classes: int, *, seed: int
    ) -> Measured:
        """Score detections and resample images; a class that a resample lacks is left out."""
        rng = np.random.default_rng(seed)
        results: list[np.ndarray] = []
        wanted = max(FEWEST_RESAMPLES, min(RESAMPLES, RESAMPLED_IMAGES // len(part)))
        while len(results) < wanted:
            rows = rng.integers(len(part), size=len(part))
            boxes, labels = ([values[row] for row in rows] for values in (part.boxes, part.labels))
            if sum(map(len, boxes)):
                score = average_precision([found[row] for row in rows], boxes, labels, classes)
                whole = [score.per_threshold[0], score.mean_average_precision]
                results.append(np.concatenate([whole, score.average_precision[0]]))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a class without any box at all
            low, high = np.nanquantile(results, [0.025, 0.975], axis=0)
        score = average_precision(found, part.boxes, part.labels, classes)
        return cls(score, low, high, np.array(results)[:, 0])

    def estimate(self, value: float, place: int) -> Estimate:
        """Return a value with the interval at `place`."""
        return Estimate(float(value), self.low[place], self.high[place])


def gain(own: Measured, base: Measured) -> Estimate:
    """Return how far mAP@.5 lies above the baseline's, paired: on the same resamples."""
    value = own.score.per_threshold[0] - base.score.per_threshold[0]
    low, high = np.quantile(own.resampled - base.resampled, [0.025, 0.975])
    return Estimate(float(value), float(low), float(high))


def headline(
    name: str,
    measured: Measured,
    kept: Sequence[Detections],
    counts: np.ndarray,
    part: BoxedImages,
    *,
    weights: int | None,
    seed: int,
    baseline: bool = False,
) -> Row:
    """Make one line of the headline table, of what a service would answer.

    `kept` are its detections and `counts` (I, C) its counts.
    """
    score = measured.score
    right, said, true = _tally(kept, part)
    true_counts = count_labels(part.labels, len(score.true_boxes))
    error = np.abs(counts - true_counts).sum(axis=1)  # (I,)
    values: dict[str, Value] = {
        "mAP@.5": measured.estimate(score.per_threshold[0], 0),
        "mAP@.5:.95": measured.estimate(score.mean_average_precision, 1),
        "precision": right / max(1, said),
        "recall": right / max(1, true),
        "count error": Estimate(float(error.mean()), *interval(error, seed=seed)),
        "weights": float(weights) if weights else None,
    }
    return Row(name, values, baseline)


def by_class(
    pipeline: Pipeline, base: Measured, own: Measured, kept: Sequence[Detections], part: BoxedImages
) -> Table:
    """Return the average precision of each class; one without a true box has none."""
    classes, score = len(pipeline.label_names), own.score
    rows = []
    for label, name in enumerate(pipeline.label_names):
        if not score.true_boxes[label]:
            continue
        one = [each.above(np.where(np.arange(classes) == label, 0.0, np.inf)) for each in kept]
        right, said, _ = _tally(one, part)
        values: dict[str, Value] = {
            "boxes": float(score.true_boxes[label]),
            "blobs AP@.5": float(base.score.average_precision[0, label]),
            "AP@.5": own.estimate(score.average_precision[0, label], 2 + label),
            "AP@.5:.95": float(score.per_class[label]),
            "threshold": float(pipeline.limits_[label]),
            "precision": right / max(1, said),
            "recall": right / int(score.true_boxes[label]),
        }
        rows.append(Row(name, values))
    caption = "Average precision of each class; the threshold is the one of best F1 on validation."
    absent = [name for name, n in zip(pipeline.label_names, score.true_boxes, strict=True) if not n]
    if absent:
        caption += f" Without a box in the test, so not measured: {', '.join(absent)}."
    columns = (
        "boxes", "blobs AP@.5", "AP@.5", "AP@.5:.95", "threshold", "precision", "recall",
    )  # fmt: skip
    return Table("by class", columns, tuple(rows), caption)


def _tally(kept: Sequence[Detections], part: BoxedImages) -> tuple[int, int, int]:
    """Count right detections, all detections, and true boxes."""
    right = sum(
        int((match(each, boxes, labels) >= 0).sum())
        for each, boxes, labels in zip(kept, part.boxes, part.labels, strict=True)
    )
    return right, sum(len(each.scores) for each in kept), sum(map(len, part.boxes))
