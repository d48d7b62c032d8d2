"""How good the detector is: against the blob baseline, by class, by size, and as a counter.

Headline: mAP@.5 and mAP@.5:.95 as COCO defines them, with bootstrap intervals over test images (72
of them in BCCD: the intervals are wide, and that is the truth), and the error of the count of
objects an image. Then average precision of each class, recall by the size of the box,
precision-recall curves, a grid of images with found and true boxes, and the latency of a single
image. The test images are run through each model once.
"""

from __future__ import annotations

from common.evaluation.latency import Latency, measure
from common.evaluation.report import Report, Table, parts
from patterns.vision.detection.config import NAME
from patterns.vision.detection.data import Splits
from patterns.vision.detection.entities.images import BoxedImages
from patterns.vision.detection.evaluation.accuracy import (
    COLUMNS,
    Measured,
    by_class,
    gain,
    headline,
)
from patterns.vision.detection.evaluation.counting import counting
from patterns.vision.detection.evaluation.size import by_size
from patterns.vision.detection.examples import examples
from patterns.vision.detection.figures import draw
from patterns.vision.detection.pipeline import Pipeline, judged
from patterns.vision.detection.stages.counts import LEVELS, count_labels

BUDGET_MS = 100.0
TIMED_IMAGES = 200
DIFFERENT_IMAGES = 20  # among those timed: photographs take much memory


def evaluate(pipeline: Pipeline, splits: Splits) -> Report:
    """Measure a fitted pipeline on the test images."""
    test, classes, seed = splits.test, len(pipeline.label_names), pipeline.seed
    blobs = judged(pipeline.baseline.predict(test.images), test)
    found = judged(pipeline.candidates(test.images), test)
    kept = pipeline.thresholds.select(found)
    counts = pipeline.counts.predict(found, kept, test.images)
    blob_counts = count_labels([each.labels for each in blobs], classes)
    base, own = (Measured.of(each, test, classes, seed=seed) for each in (blobs, found))
    weights = pipeline.detector.parameters()
    rows = (
        headline("blobs", base, blobs, blob_counts, test, weights=None, seed=seed, baseline=True),
        headline("yolo", own, kept, counts, test, weights=weights, seed=seed),
    )
    if pipeline.served_ == "blobs":  # the tables below are of what is served
        own, kept, counts = base, blobs, blob_counts
    caption = (
        f"{len(test):,} test images, {sum(map(len, test.boxes)):,} boxes; 95 % bootstrap"
        " intervals over images. Precision and recall at IoU .5 and the thresholds chosen on"
        " validation; the count error is the mean absolute one of the counts, objects an image."
    )
    report = Report(NAME, splits.source, notices=[*splits.notices, *pipeline.notices])
    report.rows = parts(splits, "images")
    report.metric, report.served = "mAP@.5", pipeline.served_
    report.gain = gain(own, base)
    report.examples = examples(kept, test, pipeline.label_names)
    report.tables = [
        Table("detection", COLUMNS, rows, caption),
        by_class(pipeline, base, own, kept, test),
        by_size(kept, test),
        counting(pipeline, counts, kept, splits),
    ]
    report.latency = _latency(pipeline, test)
    draw(report, pipeline, own.score, counts, test)
    return report


def _latency(pipeline: Pipeline, test: BoxedImages) -> list[Latency]:
    """Time one image after the other: the network, post-processing, and all of it."""
    detector = pipeline.detector
    images = [test.images[row] for row in range(min(DIFFERENT_IMAGES, len(test)))]
    chosen = [images[row % len(images)] for row in range(min(TIMED_IMAGES, 5 * len(test)))]
    stages = []
    if pipeline.served_ == "yolo":
        batches = [detector.letterbox.batch([image]) for image in chosen]
        outputs = [detector.forward(batch) for batch in batches[:20]] * 10
        stages = [
            measure("network", detector.forward, batches, budget_ms=BUDGET_MS),
            measure(
                "post-processing",
                lambda output: detector.select(output, 0, confidence=LEVELS[0]),
                outputs,
                budget_ms=BUDGET_MS / 10,
            ),
        ]
    one = measure("one image", lambda each: pipeline.detect([each]), chosen, budget_ms=BUDGET_MS)
    return [*stages, one]
