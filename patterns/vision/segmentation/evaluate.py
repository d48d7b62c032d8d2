"""How good the segmenter is: against Otsu's threshold, in pixels and in objects.

Headline: IoU and Dice per image, averaged (each image counts alike), with intervals that resample
whole slides, since tiles of one slide are not independent; pooled IoU (each pixel counts alike);
the share of objects found, TP / (TP + FP + FN) at an IoU of one half; and the error of the count.
Then by modality, by how full the image is, and what splitting touching objects brings. The test
images are run through the network once.
"""

from __future__ import annotations

from common.evaluation.latency import measure
from common.evaluation.report import Report
from patterns.vision.segmentation.config import NAME
from patterns.vision.segmentation.data import Splits
from patterns.vision.segmentation.evaluation.accuracy import headline
from patterns.vision.segmentation.evaluation.found import compare
from patterns.vision.segmentation.evaluation.slices import by_slice
from patterns.vision.segmentation.figures import draw
from patterns.vision.segmentation.pipeline import Pipeline

BUDGET_MS = 500.0
TIMED_IMAGES = 40


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
