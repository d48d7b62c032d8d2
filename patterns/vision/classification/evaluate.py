"""How good the image classifier is: against the linear baseline, by class, and how calibrated.

Headline: accuracy with a bootstrap interval over test images, macro-F1, log loss and expected
calibration error, for the baseline, the network, and the network after temperature scaling. Then
per class, the pairs it confuses, the images it gets wrong while being sure, and the latency of a
single image. The test images are run through each model once.

Shapes: N images, K classes.
"""

from __future__ import annotations

import numpy as np

from common.evaluation.classifier import (
    HEADLINE,
    accuracy_gain,
    confused_pairs,
    headline,
    per_class,
)
from common.evaluation.latency import measure
from common.evaluation.report import Report, Row, Table, parts
from common.probabilities import softmax
from patterns.vision.classification.config import NAME
from patterns.vision.classification.data import Splits
from patterns.vision.classification.examples import examples
from patterns.vision.classification.figures import draw
from patterns.vision.classification.pipeline import Pipeline

BUDGET_MS = 50.0
TIMED_IMAGES = 200


def evaluate(pipeline: Pipeline, splits: Splits) -> Report:
    """Measure a fitted pipeline on the test images."""
    assert pipeline.baseline is not None
    labels, names = splits.test.labels, splits.label_names
    test = pipeline.preprocess.batch(splits.test.images)
    logits = pipeline.served_.predict(test)  # (N, K)
    base = softmax(pipeline.baseline.predict(test))
    raw, final = softmax(logits), softmax(logits, pipeline.temperature_)
    report = Report(NAME, splits.source, notices=[*splits.notices, *pipeline.notices])
    report.rows = parts(splits, "images")
    report.metric, report.served = "accuracy", served_row(pipeline)
    report.gain = accuracy_gain(labels, base, final, seed=pipeline.seed)
    report.examples = examples(splits, final)
    report.tables = [
        headline_table(pipeline, splits, base, raw, final),
        per_class(
            labels, base, final, names, baseline="linear", unit="images",
            columns=("linear recall", "recall", "precision", "F1", "mean confidence", "images"),
            caption="Test images by their true class, worst first.",
        ),
        confused_pairs(labels, final.argmax(axis=1), names, unit="images", most=8),
    ]  # fmt: skip
    images = list(splits.test.images[:TIMED_IMAGES])
    report.latency = [
        measure("classify", lambda image: pipeline.classify([image]), images, budget_ms=BUDGET_MS)
    ]
    draw(report, pipeline, splits, raw, final)
    return report


def served_row(pipeline: Pipeline) -> str:
    """Name the row of what serves; the baseline's name is in it if it beat the network."""
    beaten = pipeline.served_ is not pipeline.network
    return f"{pipeline.served_.name} + temperature" if beaten else "+ temperature"


def headline_table(
    pipeline: Pipeline, splits: Splits, base: np.ndarray, raw: np.ndarray, final: np.ndarray
) -> Table:
    """Compare the baseline, the network, and what serves, by their probabilities (N, K)."""
    baseline, network, served = pipeline.baseline, pipeline.network, pipeline.served_
    assert baseline is not None
    labels = splits.test.labels
    models = {baseline.name: (base, baseline), served.name: (raw, served)}
    if network is not served:
        logits = network.predict(pipeline.preprocess.batch(splits.test.images))
        models[network.name] = (softmax(logits), network)
    models[served_row(pipeline)] = (final, served)
    rows: list[Row] = []
    for name, (probabilities, model) in models.items():
        values = headline(labels, probabilities, seed=pipeline.seed)
        values["weights"] = float(model.parameters())
        rows.append(Row(name, values, baseline=not rows))
    caption = (
        f"{len(labels):,} test images; 95 % bootstrap intervals; temperature"
        f" {pipeline.temperature_:.2f} from {len(splits.valid):,} validation images."
    )
    return Table("classification", (*HEADLINE, "weights"), tuple(rows), caption)
