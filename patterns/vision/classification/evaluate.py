"""What the classifier is worth: against the linear baseline, by class, and how honest its doubt is.

Headline: accuracy with a bootstrap interval over test images, macro-F1, log loss and expected
calibration error, for the baseline, the network, and the network after temperature scaling. Then
per class, the pairs it confuses, the pictures it gets wrong while being sure, and the latency of a
single image. The test images are run through each model once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from common.evaluation import classification as metrics
from common.evaluation.bootstrap import interval
from common.evaluation.calibration import expected_calibration_error, log_loss, reliability_curve
from common.evaluation.latency import measure
from common.evaluation.report import Estimate, Report, Row, Table, add_canvas, figure
from common.probabilities import softmax

if TYPE_CHECKING:
    from patterns.vision.classification.data import Splits
    from patterns.vision.classification.pipeline import Pipeline

BUDGET_MS = 50.0
TIMED_IMAGES = 200
COLUMNS = ("accuracy", "macro F1", "log loss", "ECE", "weights")


def evaluate(pipeline: Pipeline, splits: Splits, *, seed: int = 0) -> Report:
    """Measure a fitted pipeline on the test images."""
    assert pipeline.network is not None and pipeline.baseline is not None
    assert pipeline.preprocess is not None
    labels, model = splits.test_labels, pipeline.config.model
    test = pipeline.preprocess.batch(splits.test_images)
    base = softmax(pipeline.baseline.predict(test))  # (N, K)
    logits = pipeline.network.predict(test)
    raw, final = softmax(logits), softmax(logits, pipeline.temperature)

    rows = [_row("linear", labels, base, pipeline.baseline.parameters(), seed, baseline=True)]
    if model != "linear":
        rows.append(_row(model, labels, raw, pipeline.network.parameters(), seed))
    rows.append(_row("+ temperature", labels, final, pipeline.network.parameters(), seed))
    report = Report("vision/classification", splits.source, notices=list(pipeline.notices))
    report.tables = [
        Table(
            "classification", COLUMNS, tuple(rows),
            f"{len(labels):,} test images; 95 % bootstrap intervals; temperature"
            f" {pipeline.temperature:.2f} from {len(splits.valid_labels):,} validation images.",
        ),
        per_class(labels, base, final, splits.label_names),
        confused_pairs(labels, final.argmax(axis=1), splits.label_names),
    ]  # fmt: skip
    images = list(splits.test_images[:TIMED_IMAGES])
    report.latency = [
        measure("classify", lambda image: pipeline.classify([image]), images, budget_ms=BUDGET_MS)
    ]
    _draw_confusion(report, labels, final.argmax(axis=1), splits.label_names)
    _draw_reliability(report, labels, raw, final)
    _draw_mistakes(report, splits, final)
    _draw_training(report, pipeline)
    return report


def _row(
    name: str, labels: np.ndarray, probabilities: np.ndarray, weights: int, seed: int,
    *, baseline: bool = False,
) -> Row:  # fmt: skip
    predicted = probabilities.argmax(axis=1)
    hits = metrics.correct(labels, predicted)
    classes = probabilities.shape[1]
    return Row(
        name,
        {
            "accuracy": Estimate(float(hits.mean()), *interval(hits, seed=seed)),
            "macro F1": metrics.precision_recall_f1(labels, predicted, classes=classes).f1,
            "log loss": log_loss(labels, probabilities),
            "ECE": expected_calibration_error(labels, probabilities),
            "weights": float(weights),
        },
        baseline=baseline,
    )


def per_class(
    labels: np.ndarray, base: np.ndarray, final: np.ndarray, names: Sequence[str]
) -> Table:
    """Slice by true class, hardest first, the baseline's recall beside it."""
    classes = len(names)
    ours = metrics.precision_recall_f1(labels, final.argmax(axis=1), classes=classes)
    theirs = metrics.precision_recall_f1(labels, base.argmax(axis=1), classes=classes)
    said = final.max(axis=1)
    rows = []
    for label in np.argsort(ours.f1_per_class, kind="stable"):
        mine = labels == label
        values: dict[str, float | None] = {
            "linear recall": float(theirs.recall_per_class[label]),
            "recall": float(ours.recall_per_class[label]),
            "precision": float(ours.precision_per_class[label]),
            "F1": float(ours.f1_per_class[label]),
            "mean confidence": float(said[mine].mean()) if mine.any() else None,
            "images": float(mine.sum()),
        }
        rows.append(Row(names[label], values))
    columns = ("linear recall", "recall", "precision", "F1", "mean confidence", "images")
    return Table("by class", columns, tuple(rows), "Test images by their true class, worst first.")


def confused_pairs(
    labels: np.ndarray, predicted: np.ndarray, names: Sequence[str], *, most: int = 8
) -> Table:
    """List the most frequent mistakes as true -> predicted."""
    counts = metrics.confusion(labels, predicted, classes=len(names))  # (K, K)
    totals = counts.sum(axis=1)
    np.fill_diagonal(counts, 0)
    order = np.argsort(-counts, axis=None, kind="stable")[:most]
    rows = []
    for true, said in zip(*np.unravel_index(order, counts.shape), strict=True):
        if counts[true, said]:
            share = counts[true, said] / totals[true]
            values = {"images": float(counts[true, said]), "share of the class": float(share)}
            rows.append(Row(f"{names[true]} → {names[said]}", values))
    caption = "The most frequent mistakes: true → predicted."
    return Table("confused pairs", ("images", "share of the class"), tuple(rows), caption)


def _draw_confusion(
    report: Report, labels: np.ndarray, predicted: np.ndarray, names: Sequence[str]
) -> None:
    counts = metrics.confusion(labels, predicted, classes=len(names))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    caption = "Each row is a true class; its shares say what the model called it."
    with figure(report, "confusion matrix", caption, size=(7.2, 6.4)) as axes:
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        axes.set_xticks(range(len(names)), names, rotation=60, ha="right")
        axes.set_yticks(range(len(names)), names)
        axes.set_xlabel("predicted")
        axes.set_ylabel("true")
        if len(names) > 20:
            return
        for row, column in zip(*np.nonzero(counts), strict=True):
            dark = shares[row, column] > 0.5
            axes.text(
                column, row, f"{counts[row, column]}", ha="center", va="center", fontsize=7,
                color="white" if dark else "black",
            )  # fmt: skip


def _draw_reliability(
    report: Report, labels: np.ndarray, raw: np.ndarray, final: np.ndarray
) -> None:
    caption = (
        "How often the model is right when it says it is this sure; on the diagonal, confidence"
        " can be believed."
    )
    with figure(report, "reliability", caption) as axes:
        axes.plot([0, 1], [0, 1], color="grey", linewidth=1, linestyle="--")
        for name, probabilities in (("network", raw), ("after temperature", final)):
            curve = reliability_curve(labels, probabilities)
            axes.plot(curve.confidence, curve.frequency, marker="o", label=name)
        axes.set_xlabel("confidence")
        axes.set_ylabel("share correct")
        axes.legend()


def _draw_mistakes(report: Report, splits: Splits, final: np.ndarray, *, most: int = 24) -> None:
    from matplotlib.figure import Figure

    predicted, said = final.argmax(axis=1), final.max(axis=1)
    wrong = np.flatnonzero(predicted != splits.test_labels)
    wrong = wrong[np.argsort(-said[wrong], kind="stable")][:most]
    if not len(wrong):
        return
    canvas = Figure(figsize=(8.8, 1.55 * -(-len(wrong) // 8)), dpi=110, layout="constrained")
    grid = canvas.subplots(-(-len(wrong) // 8), 8, squeeze=False).ravel()
    for axes in grid:
        axes.axis("off")
    for axes, row in zip(grid, wrong, strict=False):
        axes.imshow(splits.test_images[row], cmap="gray")
        true, guess = splits.test_labels[row], predicted[row]
        title = f"{splits.label_names[true]}\nsaid {splits.label_names[guess]} {said[row]:.2f}"
        axes.set_title(title, fontsize=6)
    caption = "The mistakes made with the most confidence: wrong labels are found here first."
    add_canvas(report, "surest mistakes", caption, canvas)


def _draw_training(report: Report, pipeline: Pipeline) -> None:
    history = pipeline.network.history_ if pipeline.network else None
    if history is None or len(history.valid) < 2:
        return
    epochs = np.arange(1, len(history.valid) + 1)
    caption = "Validation accuracy after each epoch; the best epoch's weights are kept."
    with figure(report, "training", caption) as axes:
        axes.plot(epochs, history.valid, marker="o" if len(epochs) < 30 else None)
        axes.set_xlabel("epoch")
        axes.set_ylabel("validation accuracy")
