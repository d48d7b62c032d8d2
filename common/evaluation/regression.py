"""Metrics of predicted numbers: how far off, in whose units, against which baseline.

    MSE = mean (y - ŷ)²     RMSE = √MSE     MAE = mean |y - ŷ|     MAPE = mean |y - ŷ| / |y|
    R² = 1 - Σ (y - ŷ)² / Σ (y - ȳ)²

RMSE and MAE are in the unit of the target; RMSE punishes the large error, MAE answers to the
median. R² compares with the constant mean: 0 is no better, below 0 worse. MAPE is a fraction (0.1
is ten percent) and blows up near zero. All take (N,) arrays and answer one number over the rows; an
empty array or a NaN raises. Equal to scikit-learn's, except that R² of a constant target and MAPE
with a zero target raise instead of answering a made-up number.
"""

import numpy as np
from numpy.typing import ArrayLike

from common.evaluation.checks import Floats, not_empty, numbers, same_length


def mse(targets: ArrayLike, predicted: ArrayLike) -> float:
    """Mean squared error, in squared units."""
    targets, predicted = _pair(targets, predicted)
    return float(np.mean((targets - predicted) ** 2))


def rmse(targets: ArrayLike, predicted: ArrayLike) -> float:
    """Root of the mean squared error, in the target's unit."""
    return float(np.sqrt(mse(targets, predicted)))


def mae(targets: ArrayLike, predicted: ArrayLike) -> float:
    """Mean absolute error, in the target's unit."""
    targets, predicted = _pair(targets, predicted)
    return float(np.mean(np.abs(targets - predicted)))


def r2(targets: ArrayLike, predicted: ArrayLike) -> float:
    """Share of the variance explained, at most 1; a constant target, which has none, raises."""
    targets, predicted = _pair(targets, predicted)
    if targets.min() == targets.max():
        raise ValueError("targets are constant, R² is undefined: report mae or rmse")
    variance = np.sum((targets - targets.mean()) ** 2)
    return float(1.0 - np.sum((targets - predicted) ** 2) / variance)


def mape(targets: ArrayLike, predicted: ArrayLike) -> float:
    """Mean absolute error as a fraction of each target; a target of 0 raises."""
    targets, predicted = _pair(targets, predicted)
    zeros = int((targets == 0).sum())
    if zeros:
        raise ValueError(f"targets hold {zeros} zero(s), MAPE is undefined there: report mae")
    return float(np.mean(np.abs((targets - predicted) / targets)))


def _pair(targets: ArrayLike, predicted: ArrayLike) -> tuple[Floats, Floats]:
    targets, predicted = numbers("targets", targets), numbers("predicted", predicted)
    same_length(targets=targets, predicted=predicted)
    not_empty("targets", targets)
    return targets, predicted
