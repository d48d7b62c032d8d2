"""How good the segmenter is: against a baseline, in pixels and in objects or classes.

Objects: IoU and Dice per image, averaged (each image counts alike), with intervals that resample
whole groups, since tiles of one slide are not independent; pooled IoU (each pixel counts alike);
the share of objects found, TP / (TP + FP + FN) at an IoU of one half; the error of the count. Then
by modality, by how full the image is, and what splitting touching objects brings.

Classes: the mean over classes of the IoU, pooled over all images and without unlabelled pixels as
published figures are; accuracy of pixels; each class, and what it is taken for. Intervals resample
images. In both, the test images are run through the network once.
"""

from __future__ import annotations

from common.evaluation.latency import measure
from common.evaluation.report import Report, parts
from patterns.vision.segmentation import examples, figures
from patterns.vision.segmentation.config import NAME
from patterns.vision.segmentation.data import Splits
from patterns.vision.segmentation.evaluation import classes
from patterns.vision.segmentation.evaluation.accuracy import against_baseline, gain, headline
from patterns.vision.segmentation.evaluation.found import compare
from patterns.vision.segmentation.evaluation.slices import by_slice
from patterns.vision.segmentation.pipeline import Pipeline

BUDGET_MS = 500.0
TIMED_IMAGES = 40


def evaluate(pipeline: Pipeline, splits: Splits) -> Report:
    """Measure a fitted pipeline on the test images."""
    report = Report(NAME, splits.source, notices=[*splits.notices, *pipeline.notices])
    report.rows = parts(splits, "images")
    judge = {"objects": _judge_objects, "semantic": _judge_classes}[pipeline.task]
    judge(report, pipeline, splits)
    report.served = report.tables[0].rows[-1].name
    report.latency = [
        measure(
            "segment", lambda image: pipeline.segment([image]), splits.test.images[:TIMED_IMAGES],
            budget_ms=BUDGET_MS, warm_up=3,
        )
    ]  # fmt: skip
    return report


def _judge_objects(report: Report, pipeline: Pipeline, splits: Splits) -> None:
    test = splits.test
    base, joined, final = compare(pipeline, test)
    report.tables = [
        headline(pipeline, splits, base, joined, final),
        against_baseline(test, base, final, seed=pipeline.seed),
        by_slice(test, base, final, seed=pipeline.seed),
    ]
    report.metric, report.gain = "IoU", gain(final, base, test, seed=pipeline.seed)
    report.examples = [examples.of_objects(test, base, final)]
    figures.draw(report, pipeline, test, base, final)


def _judge_classes(report: Report, pipeline: Pipeline, splits: Splits) -> None:
    assert splits.classes is not None
    names = splits.classes.names
    base, joined, final = classes.compare(pipeline, splits.test)
    report.tables = [
        classes.headline(pipeline, splits, base, joined, final),
        classes.by_class(names, base, final),
        classes.mistaken(names, final),
    ]
    report.metric, report.gain = "mIoU", classes.gain(final, base, seed=pipeline.seed)
    report.examples = [examples.of_classes(names, splits.test, base, final)]
    figures.draw_classes(report, pipeline, splits, base, final)
