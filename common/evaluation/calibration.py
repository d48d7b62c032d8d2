"""Is a predicted probability true: of the rows given 0.8, do 80 % come out positive.

A model can order rows perfectly and still say 0.9 where 0.3 is right, as after oversampling or with
a network trained to the last nat. Costs, thresholds and blends need the true number.

    Brier = mean (p - y)²      log loss = -mean ln p(y)      ECE = Σ_bins n_bin / N · |mean y - mean
    p|

Brier and log loss are proper scores: only the true probability minimises them, sharpness counts
too. ECE looks at calibration alone (a constant at the base rate has ECE 0) and depends on the bins.
Labels are class numbers, probabilities (N,) of class 1 or (N, C). Source: Brier, Monthly Weather
Review 78, 1950; Guo et al., On Calibration of Modern Neural Networks, ICML 2017 (15 bins).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from common.evaluation.checks import (
    Booleans,
    Floats,
    Integers,
    classes_of,
    not_empty,
    probabilities,
    same_length,
    whole,
)

Bins = Literal["uniform", "quantile"]


@dataclass(frozen=True)
class Reliability:
    """The reliability diagram: one entry for each bin that holds a row."""

    confidence: Floats
    """Mean predicted probability."""
    frequency: Floats
    """Share of rows in which it came true."""
    count: Integers
    """Rows."""


def log_loss(labels: ArrayLike, predicted_probabilities: ArrayLike) -> float:
    """Mean negative log-likelihood in nats; probabilities are clipped at float64's epsilon."""
    labels, table = _probability_table(labels, predicted_probabilities)
    tiny = np.finfo(np.float64).eps
    likelihood = np.clip(table[np.arange(len(labels)), labels], tiny, 1.0 - tiny)
    return float(-np.log(likelihood).mean())


def brier(labels: ArrayLike, predicted_probabilities: ArrayLike) -> float:
    """Mean squared error of probabilities: (N,) in [0, 1], (N, C) summed over classes in [0, 2]."""
    labels, table = _probability_table(labels, predicted_probabilities)
    truth = np.arange(table.shape[1]) == labels[:, None]  # (N, C)
    squares = ((table - truth) ** 2).sum(axis=1)
    return float(squares.mean() / (2.0 if np.ndim(predicted_probabilities) == 1 else 1.0))


def reliability_curve(
    labels: ArrayLike,
    predicted_probabilities: ArrayLike,
    *,
    bins: int = 15,
    strategy: Bins = "uniform",
) -> Reliability:
    """Mean probability against the share that came true, bin by bin, empty bins left out.

    Binary (N,): class 1's probability against class 1. Many classes (N, C): the top class's against
    its being right. "uniform" bins are [i/bins, (i+1)/bins), the last one closed; "quantile" bins
    hold about equal rows, which a rare class needs. Equal probabilities always share a bin.
    """
    confidence, came_true = _confidence(labels, predicted_probabilities)
    edges = np.linspace(0.0, 1.0, whole("bins", bins) + 1)
    if strategy == "quantile":
        edges = np.quantile(confidence, edges)
    elif strategy != "uniform":
        raise ValueError(f"strategy is {strategy!r}: pass 'uniform' or 'quantile'")
    bin_of_row = np.searchsorted(edges[1:-1], confidence, side="right")
    count = np.bincount(bin_of_row, minlength=bins)
    held = count > 0
    mean_confidence = np.bincount(bin_of_row, confidence, minlength=bins)[held] / count[held]
    frequency = np.bincount(bin_of_row, came_true, minlength=bins)[held] / count[held]
    return Reliability(mean_confidence, frequency, count[held])


def expected_calibration_error(
    labels: ArrayLike,
    predicted_probabilities: ArrayLike,
    *,
    bins: int = 15,
    strategy: Bins = "uniform",
) -> float:
    """Mean distance between said and seen probability, bins weighted by rows; 0 is calibrated."""
    curve = reliability_curve(labels, predicted_probabilities, bins=bins, strategy=strategy)
    distance = np.abs(curve.confidence - curve.frequency)
    return float(distance @ curve.count / curve.count.sum())


def _probability_table(labels: ArrayLike, values: ArrayLike) -> tuple[Integers, Floats]:
    """Labels (N,) and probabilities (N, C), a binary column completed to two."""
    table = probabilities("predicted_probabilities", values, dimensions=np.ndim(values))
    if table.ndim == 1:
        table = np.stack([1.0 - table, table], axis=1)
    elif table.ndim == 2 and np.any(np.abs(table.sum(axis=1) - 1.0) > 1e-3):
        raise ValueError("predicted_probabilities do not sum to 1 in each row: apply a softmax")
    labels = classes_of("labels", labels, classes=table.shape[1])
    same_length(labels=labels, predicted_probabilities=table)
    not_empty("labels", labels)
    return labels, table


def _confidence(labels: ArrayLike, values: ArrayLike) -> tuple[Floats, Booleans]:
    labels, table = _probability_table(labels, values)
    if np.ndim(values) == 1:
        return table[:, 1], labels == 1
    return table.max(axis=1), table.argmax(axis=1) == labels
