"""The questions that every report of a classifier asks, whatever it classifies.

How good is each model (`headline`), which classes are hard (`per_class`), which are taken for one
another (`confused_pairs`), and which mistakes is the model surest of (`surest_mistakes`: wrong
labels are found there first). A pattern names its unit, "texts" or "images", and adds what is its
own. The drawings are in `classifier_figures`.

Shapes: N rows, C classes.
"""

from collections.abc import Sequence

import numpy as np

from common.evaluation import classification as metrics
from common.evaluation.bootstrap import interval, interval_of, paired_difference
from common.evaluation.calibration import expected_calibration_error, log_loss
from common.evaluation.report import Estimate, Row, Table, Value

HEADLINE = ("accuracy", "macro F1", "log loss", "ECE")


def headline(
    labels: np.ndarray, probabilities: np.ndarray, *, f1_samples: int = 0, seed: int = 0
) -> dict[str, Value]:
    """Return the values of `HEADLINE` for probabilities (N, C), the accuracy with its interval.

    Macro F1 has an interval where `f1_samples` bootstrap samples are asked for.
    """
    predicted, classes = probabilities.argmax(axis=1), probabilities.shape[1]
    hits = metrics.correct(labels, predicted)

    def macro_f1(true: np.ndarray, said: np.ndarray) -> float:
        return metrics.precision_recall_f1(true, said, classes=classes).f1

    f1: Value = macro_f1(labels, predicted)
    if f1_samples:
        bounds = interval_of(macro_f1, labels, predicted, samples=f1_samples, seed=seed)
        f1 = Estimate(macro_f1(labels, predicted), *bounds)
    return {
        "accuracy": Estimate(float(hits.mean()), *interval(hits, seed=seed)),
        "macro F1": f1,
        "log loss": log_loss(labels, probabilities),
        "ECE": expected_calibration_error(labels, probabilities),
    }


def accuracy_gain(
    labels: np.ndarray, base: np.ndarray, model: np.ndarray, *, seed: int = 0
) -> Estimate:
    """Return how far the model's accuracy lies above the baseline's, paired row by row.

    Both are probabilities (N, C).
    """
    ours, theirs = (metrics.correct(labels, each.argmax(axis=1)) for each in (model, base))
    return Estimate.of(paired_difference(ours, theirs, seed=seed))


def per_class(
    labels: np.ndarray,
    base: np.ndarray,
    final: np.ndarray,
    names: Sequence[str],
    *,
    columns: tuple[str, ...],
    caption: str,
    baseline: str = "baseline",
    unit: str = "rows",
    most: int | None = None,
) -> Table:
    """Slice by true class, the lowest F1 first, the `most` hardest ones or all.

    `base` and `final` are the baseline's and the model's probabilities (N, C). `columns` chooses
    from "precision", "recall", "F1", "mean confidence", `unit` (how many rows the class has) and
    the baseline's figures, such as "linear recall" where `baseline` is "linear".
    """
    classes, sure = len(names), final.max(axis=1)
    ours = metrics.precision_recall_f1(labels, final.argmax(axis=1), classes=classes)
    theirs = metrics.precision_recall_f1(labels, base.argmax(axis=1), classes=classes)
    rows = []
    for label in np.argsort(ours.f1_per_class, kind="stable")[:most]:
        mine = labels == label
        values: dict[str, float | None] = {
            "precision": float(ours.precision_per_class[label]),
            "recall": float(ours.recall_per_class[label]),
            "F1": float(ours.f1_per_class[label]),
            f"{baseline} precision": float(theirs.precision_per_class[label]),
            f"{baseline} recall": float(theirs.recall_per_class[label]),
            f"{baseline} F1": float(theirs.f1_per_class[label]),
            "mean confidence": float(sure[mine].mean()) if mine.any() else None,
            unit: float(mine.sum()),
        }
        rows.append(Row(names[label], {column: values[column] for column in columns}))
    return Table("by class", columns, tuple(rows), caption)


def confused_pairs(
    labels: np.ndarray, predicted: np.ndarray, names: Sequence[str], *, unit: str, most: int
) -> Table:
    """List the `most` frequent mistakes as true → predicted; of ties the lower class is first."""
    counts = metrics.confusion(labels, predicted, classes=len(names))  # (C, C)
    totals = counts.sum(axis=1)
    np.fill_diagonal(counts, 0)
    order = np.argsort(-counts, axis=None, kind="stable")[:most]
    rows = []
    for true, said in zip(*np.unravel_index(order, counts.shape), strict=True):
        if counts[true, said]:
            share = counts[true, said] / totals[true]
            values = {unit: float(counts[true, said]), "share of the class": float(share)}
            rows.append(Row(f"{names[true]} → {names[said]}", values))
    caption = "The most frequent mistakes: true → predicted."
    return Table("confused pairs", (unit, "share of the class"), tuple(rows), caption)


def surest_mistakes(labels: np.ndarray, probabilities: np.ndarray, *, most: int) -> np.ndarray:
    """Return the rows of up to `most` wrong answers, the highest confidence first."""
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    order = np.argsort(-probabilities[wrong].max(axis=1), kind="stable")
    return wrong[order][:most]
