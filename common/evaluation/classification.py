"""Metrics of classifiers: are the labels right, and does the score put the rows in order.

Labels: `correct` (its mean is the accuracy), `confusion`, `precision_recall_f1`. Scores: `roc_auc`,
`average_precision`, their curves. Whether a probability is true is asked in `calibration`, where to
raise the alarm in `decision`; their functions are available from here too.

    precision = TP / (TP + FP)      recall = TP / (TP + FN)      F1 = 2 TP / (2 TP + FP + FN)
    AUC = P(score of a positive > score of a negative) + ½ P(equal)

Labels are class numbers 0 … C - 1; binary labels are 0/1 with scores of class 1 (N,); scores of
many classes are (N, C). With rare positives read average precision, not AUC: a false-positive rate
of one percent looks small and can bury every true alarm. Source: Davis and Goadrich, ICML 2006;
Hand and Till, Machine Learning 45, 2001. The curves are scikit-learn's.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from common.evaluation.calibration import (
    Reliability,
    brier,
    expected_calibration_error,
    log_loss,
    reliability_curve,
)
from common.evaluation.checks import (
    Booleans,
    Floats,
    Integers,
    classes_of,
    not_empty,
    numbers,
    same_length,
    scored,
)
from common.evaluation.decision import (
    CostCurve,
    Threshold,
    best_threshold_by_cost,
    cost_curve,
)

__all__ = [
    "CostCurve",
    "Curve",
    "PrecisionRecallF1",
    "Reliability",
    "Threshold",
    "average_precision",
    "best_threshold_by_cost",
    "brier",
    "confusion",
    "correct",
    "cost_curve",
    "expected_calibration_error",
    "log_loss",
    "precision_recall_curve",
    "precision_recall_f1",
    "reliability_curve",
    "roc_auc",
    "roc_curve",
]

Average = Literal["macro", "micro", "weighted", "binary"]


@dataclass(frozen=True)
class PrecisionRecallF1:
    """Averaged figures, with the figures per class (C,) beside them."""

    precision: float
    recall: float
    f1: float
    precision_per_class: Floats
    recall_per_class: Floats
    f1_per_class: Floats
    support: Integers
    """True rows of each class (C,)."""


class Curve(NamedTuple):
    """Points of a ROC or precision-recall curve with the thresholds they belong to."""

    x: Floats
    y: Floats
    thresholds: Floats


def correct(labels: ArrayLike, predicted: ArrayLike) -> Floats:
    """1 where the class is right, else 0 (N,): the accuracy's rows, for `bootstrap.interval`."""
    labels, predicted = classes_of("labels", labels), classes_of("predicted", predicted)
    same_length(labels=labels, predicted=predicted)
    not_empty("labels", labels)
    return (labels == predicted).astype(np.float64)


def confusion(labels: ArrayLike, predicted: ArrayLike, *, classes: int | None = None) -> Integers:
    """Counts (C, C): rows the true class, columns the predicted one.

    C is `classes`, or by default one more than the largest class seen.
    """
    labels = classes_of("labels", labels, classes=classes)
    predicted = classes_of("predicted", predicted, classes=classes)
    same_length(labels=labels, predicted=predicted)
    size = classes or int(max(labels.max(initial=-1), predicted.max(initial=-1))) + 1
    counts = np.bincount(labels * size + predicted, minlength=size * size)
    return counts.reshape(size, size).astype(np.int64)


def precision_recall_f1(
    labels: ArrayLike,
    predicted: ArrayLike,
    *,
    average: Average = "macro",
    classes: int | None = None,
) -> PrecisionRecallF1:
    """Precision, recall and F1 per class and averaged; 0 / 0 counts as 0.

    "macro" is the plain mean over classes, "weighted" by true rows, "micro" pools the counts,
    "binary" is class 1 alone. Without `classes`, a class that occurs in neither array is left out
    of the mean; with it, all of them count.
    """
    counts = confusion(labels, predicted, classes=classes)
    not_empty("labels", np.atleast_1d(np.asarray(labels)))
    hits, said, true = np.diag(counts), counts.sum(axis=0), counts.sum(axis=1)
    per_class = _prf(hits, said, true)
    if average == "macro":
        weights = np.ones(len(hits)) if classes else ((said + true) > 0).astype(np.float64)
    elif average == "weighted":
        weights = true.astype(np.float64)
    elif average == "micro":
        p, r, f1 = (float(part) for part in _prf(hits.sum(), said.sum(), true.sum()))
        return PrecisionRecallF1(p, r, f1, *per_class, support=true)
    elif average == "binary":
        if len(hits) > 2:
            raise ValueError(f"average is 'binary' with {len(hits)} classes: pass 'macro'")
        weights = np.arange(len(hits), dtype=np.float64)  # class 0 counts nothing
    else:
        raise ValueError(f"average is {average!r}: pass 'macro', 'micro', 'weighted' or 'binary'")
    weights = weights / max(weights.sum(), 1.0)
    p, r, f1 = (float(part @ weights) for part in per_class)
    return PrecisionRecallF1(p, r, f1, *per_class, support=true)


def roc_auc(labels: ArrayLike, scores: ArrayLike) -> float:
    """Probability that a positive row scores above a negative one, ties counting half.

    With scores (N, C) the mean over the classes of one against the rest; each class must occur.
    """
    if np.ndim(scores) == 2:
        targets, scores = _one_against_rest(labels, scores)
        return float(np.mean([roc_auc(targets[:, c], scores[:, c]) for c in range(len(scores[0]))]))
    positive, scores = scored(labels, scores)
    order = np.argsort(scores)
    ordered, hits = scores[order], positive[order]
    starts = np.flatnonzero(np.append(True, np.diff(ordered) > 0))  # runs of equal scores
    hits_of_run = np.add.reduceat(hits.astype(np.int64), starts)
    misses_of_run = np.diff(np.append(starts, len(ordered))) - hits_of_run
    below = np.cumsum(misses_of_run) - misses_of_run  # negatives below each run
    wins = float(hits_of_run @ (below + misses_of_run / 2.0))
    return wins / (float(hits.sum()) * float((~hits).sum()))


def average_precision(
    labels: ArrayLike, scores: ArrayLike, weights: ArrayLike | None = None
) -> float:
    """Area under the precision-recall curve as a sum of steps: Σ (R_n - R_{n-1}) P_n.

    With scores (N, C) the mean over the classes. No interpolation, which would be too kind. With
    `weights` (N,) each row counts as so many.
    """
    from sklearn.metrics import average_precision_score

    if np.ndim(scores) == 2:
        targets, scores = _one_against_rest(labels, scores)
        return float(
            average_precision_score(targets, scores, average="macro", sample_weight=weights)
        )
    return float(average_precision_score(*scored(labels, scores), sample_weight=weights))


def roc_curve(labels: ArrayLike, scores: ArrayLike) -> Curve:
    """False-positive rate (x) against true-positive rate (y), thresholds falling from infinity."""
    from sklearn.metrics import roc_curve as curve

    return Curve(*curve(*scored(labels, scores)))


def precision_recall_curve(labels: ArrayLike, scores: ArrayLike) -> Curve:
    """Recall (x) against precision (y), thresholds rising; the last point (0, 1) has none."""
    from sklearn.metrics import precision_recall_curve as curve

    precision, recall, thresholds = curve(*scored(labels, scores))
    return Curve(recall, precision, thresholds)


def _prf(hits: ArrayLike, said: ArrayLike, true: ArrayLike) -> tuple[Floats, Floats, Floats]:
    hits, said, true = np.asarray(hits), np.asarray(said), np.asarray(true)
    precision = hits / np.maximum(said, 1)
    recall = hits / np.maximum(true, 1)
    f1 = 2 * hits / np.maximum(said + true, 1)
    return precision, recall, f1


def _one_against_rest(labels: ArrayLike, scores: ArrayLike) -> tuple[Booleans, Floats]:
    scores = numbers("scores", scores, dimensions=2)
    labels = classes_of("labels", labels, classes=scores.shape[1])
    same_length(labels=labels, scores=scores)
    targets = np.arange(scores.shape[1]) == labels[:, None]  # (N, C)
    absent = np.flatnonzero(~targets.any(axis=0))
    if len(absent):
        raise ValueError(
            f"labels hold no row of class {absent[0]}: its curve is undefined; "
            "evaluate on more rows or drop its column of scores"
        )
    return targets, scores
