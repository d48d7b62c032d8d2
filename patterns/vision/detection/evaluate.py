"""What the detector is worth: against the blob baseline, by class, by size, and as a counter.

Headline: mAP@.5 and mAP@.5:.95 as COCO defines them, with bootstrap intervals over test pictures
(72 of them in BCCD: the intervals are wide, and that is the truth), and the error of the count of
cells a picture at the thresholds chosen on validation, which is what a laboratory would use. Then
average precision of each class, recall by the size of the box, precision-recall curves, a grid of
pictures with found and true boxes, and the latency of a single picture. The test pictures are run
through each model once.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from common.evaluation.bootstrap import interval
from common.evaluation.detection import DetectionScore, mean_average_precision
from common.evaluation.latency import Latency, measure
from common.evaluation.report import Estimate, Report, Row, Table, Value
from patterns.vision.detection.figures import draw_counts, draw_curves, draw_pictures, draw_training
from patterns.vision.detection.stages.postprocess import Detections, match

if TYPE_CHECKING:
    from patterns.vision.detection.data import Part, Splits
    from patterns.vision.detection.pipeline import Pipeline

BUDGET_MS = 100.0
TIMED_PICTURES = 200
RESAMPLES = 200
COLUMNS = ("mAP@.5", "mAP@.5:.95", "precision", "recall", "count error", "weights")


def evaluate(pipeline: Pipeline, splits: Splits, *, seed: int = 0) -> Report:
    """Measure a fitted pipeline on the test pictures."""
    assert pipeline.baseline is not None and pipeline.detector is not None
    test, classes = splits.test, len(splits.label_names)
    blobs = pipeline.baseline.predict(test.images)
    found = pipeline.candidates(test.images)
    kept = [each.above(pipeline.thresholds) for each in found]
    base, own = (_Measured.of(each, test, classes, seed) for each in (blobs, found))
    weights = pipeline.detector.parameters()
    rows = (
        _row("blobs", base, blobs, test, None, seed, baseline=True),
        _row("yolo", own, kept, test, weights, seed),
    )
    report = Report("vision/detection", splits.source, notices=list(pipeline.notices))
    caption = (
        f"{len(test):,} test pictures, {sum(map(len, test.boxes)):,} boxes; 95 % bootstrap"
        " intervals over pictures. Precision, recall and count error (mean absolute, objects a"
        " picture) at IoU .5 and the thresholds chosen on validation."
    )
    report.tables = [
        Table("detection", COLUMNS, rows, caption),
        _per_class(pipeline, base, own, kept, test),
        _by_size(kept, test),
        _counts(kept, test, pipeline.label_names, splits.train),
    ]
    report.latency = _latency(pipeline, test)
    draw_curves(report, own.score, splits.label_names)
    draw_pictures(report, kept, test, splits.label_names)
    draw_counts(report, kept, test, splits.label_names)
    draw_training(report, pipeline)
    return report


def average_precision(found: Sequence[Detections], part: Part, classes: int) -> DetectionScore:
    """COCO's score of the detections of a part's pictures."""
    return mean_average_precision(
        [each.boxes for each in found],
        [each.scores for each in found],
        [each.labels for each in found],
        part.boxes,
        part.labels,
        classes=classes,
    )


@dataclass(frozen=True)
class _Measured:
    """A score and the ends of its intervals: mAP@.5, mAP@.5:.95, then AP@.5 by class (2 + C,)."""

    score: DetectionScore
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def of(cls, found: Sequence[Detections], part: Part, classes: int, seed: int) -> _Measured:
        """Score detections and resample pictures; a class that a resample lacks is left out."""
        rng = np.random.default_rng(seed)
        results: list[np.ndarray] = []
        while len(results) < RESAMPLES:
            rows = rng.integers(len(part), size=len(part))
            drawn = type(part)(*([values[row] for row in rows] for values in part.rows))
            if sum(map(len, drawn.boxes)):
                score = average_precision([found[row] for row in rows], drawn, classes)
                whole = [score.per_threshold[0], score.mean_average_precision]
                results.append(np.concatenate([whole, score.average_precision[0]]))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a class without any box at all
            low, high = np.nanquantile(results, [0.025, 0.975], axis=0)
        return cls(average_precision(found, part, classes), low, high)


def _row(
    name: str,
    measured: _Measured,
    kept: Sequence[Detections],
    part: Part,
    weights: int | None,
    seed: int,
    *,
    baseline: bool = False,
) -> Row:
    score, low, high = measured.score, measured.low, measured.high
    right, said, true = _tally(kept, part)
    error = count_errors(kept, part, len(score.true_boxes)).sum(axis=1)  # (I,)
    values: dict[str, Value] = {
        "mAP@.5": Estimate(float(score.per_threshold[0]), low[0], high[0]),
        "mAP@.5:.95": Estimate(score.mean_average_precision, low[1], high[1]),
        "precision": right / max(1, said),
        "recall": right / max(1, true),
        "count error": Estimate(float(error.mean()), *interval(error, seed=seed)),
        "weights": float(weights) if weights else None,
    }
    return Row(name, values, baseline)


def _tally(kept: Sequence[Detections], part: Part) -> tuple[int, int, int]:
    """Right detections, all detections, true boxes."""
    right = sum(
        int((match(each, boxes, labels) >= 0).sum())
        for each, boxes, labels in zip(kept, part.boxes, part.labels, strict=True)
    )
    return right, sum(len(each.scores) for each in kept), sum(map(len, part.boxes))


def count_errors(kept: Sequence[Detections], part: Part, classes: int) -> np.ndarray:
    """Absolute difference of found and true counts, picture by class (I, C)."""
    said = np.array([np.bincount(each.labels, minlength=classes) for each in kept])
    true = np.array([np.bincount(labels, minlength=classes) for labels in part.labels])
    return np.abs(said - true)


def _per_class(
    pipeline: Pipeline,
    base: _Measured,
    own: _Measured,
    kept: Sequence[Detections],
    part: Part,
) -> Table:
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
            "AP@.5": Estimate(
                float(score.average_precision[0, label]), own.low[2 + label], own.high[2 + label]
            ),
            "AP@.5:.95": float(score.per_class[label]),
            "threshold": float(pipeline.thresholds[label]),
            "precision": right / max(1, said),
            "recall": right / int(score.true_boxes[label]),
        }
        rows.append(Row(name, values))
    caption = "Average precision of each class; the threshold is the one of best F1 on validation."
    columns = (
        "boxes", "blobs AP@.5", "AP@.5", "AP@.5:.95", "threshold", "precision", "recall",
    )  # fmt: skip
    return Table("by class", columns, tuple(rows), caption)


def _by_size(kept: Sequence[Detections], part: Part) -> Table:
    """Recall and looseness of fit by the side of the true box, in fifths of all boxes."""
    from common.evaluation.detection import box_iou

    sides, fits = [], []
    for each, boxes, labels in zip(kept, part.boxes, part.labels, strict=True):
        claimed = match(each, boxes, labels)
        fit = np.zeros(len(boxes))
        hits = np.flatnonzero(claimed >= 0)
        overlaps = box_iou(each.boxes.reshape(-1, 4), boxes.reshape(-1, 4))
        fit[claimed[hits]] = overlaps[hits, claimed[hits]]
        fits.append(fit)
        sides.append(np.sqrt((boxes[:, 2:] - boxes[:, :2]).prod(axis=1)))
    side, fit = np.concatenate(sides), np.concatenate(fits)
    edges = np.quantile(side, np.linspace(0, 1, 6))
    rows = []
    for low, high in zip(edges[:-1], edges[1:], strict=True):
        inside = (side >= low) & ((side < high) | (high == edges[-1]))
        if not inside.any():
            continue
        hit = fit[inside] > 0
        values = {
            "boxes": float(inside.sum()),
            "recall": float(hit.mean()),
            "IoU of the found": float(fit[inside][hit].mean()) if hit.any() else None,
        }
        rows.append(Row(f"{low:.0f} – {high:.0f} px", values))
    caption = "True boxes in fifths by their side (root of the area): small ones are lost first."
    return Table("by size", ("boxes", "recall", "IoU of the found"), tuple(rows), caption)


def _counts(kept: Sequence[Detections], part: Part, names: Sequence[str], train: Part) -> Table:
    """Mean absolute error of the count of each class, against always saying the usual count."""
    classes = len(names)
    true = np.array([np.bincount(labels, minlength=classes) for labels in part.labels])
    usual = np.median(
        [np.bincount(labels, minlength=classes) for labels in train.labels], axis=0
    )  # (C,)
    errors = count_errors(kept, part, classes)
    said = np.array([np.bincount(each.labels, minlength=classes) for each in kept])
    rows = [
        Row(
            name,
            {
                "mean true": float(true[:, label].mean()),
                "mean found": float(said[:, label].mean()),
                "error of the usual count": float(np.abs(true[:, label] - usual[label]).mean()),
                "error": Estimate(float(errors[:, label].mean()), *interval(errors[:, label])),
                "exact": float((errors[:, label] == 0).mean()),
            },
        )
        for label, name in enumerate(names)
    ]
    columns = ("mean true", "mean found", "error of the usual count", "error", "exact")
    caption = "Objects a picture; the usual count is the median of the training pictures."
    return Table("counting", columns, tuple(rows), caption)


def _latency(pipeline: Pipeline, test: Part) -> list[Latency]:
    """One picture at a time: the network alone, post-processing alone, and all of it."""
    assert pipeline.detector is not None
    detector = pipeline.detector
    chosen = [test.images[row % len(test)] for row in range(min(TIMED_PICTURES, 5 * len(test)))]
    batches = [detector.letterbox.batch([image]) for image in chosen]
    outputs = [detector.forward(batch) for batch in batches[:20]]
    lowest = float(pipeline.thresholds.min())
    return [
        measure("network", detector.forward, batches, budget_ms=BUDGET_MS),
        measure(
            "post-processing",
            lambda output: detector.select(output, 0, confidence=lowest),
            outputs * 10,
            budget_ms=BUDGET_MS / 10,
        ),
        measure("one picture", lambda image: pipeline.detect([image]), chosen, budget_ms=BUDGET_MS),
    ]
