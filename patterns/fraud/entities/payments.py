"""Payments of one part: what a model is fitted on and judged by; and parts within them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Payments:
    """The labelled payments of one part; features are computed over the whole table.

    What the table lacks is None: amounts, days, customers, scenarios or weights.
    """

    rows: np.ndarray  # (N,) int64 rows of `Splits.frame`
    labels: np.ndarray  # (N,) int8, 0 or 1
    amounts: np.ndarray | None = None  # (N,) float64
    days: np.ndarray | None = None  # (N,) int16
    customers: np.ndarray | None = None  # (N,) int32
    scenarios: np.ndarray | None = None  # (N,) int8, 0 where genuine or unknown
    weights: np.ndarray | None = None  # (N,) float64, how many payments each stands for

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def fraud_share(self) -> float:
        """Return the share of fraud, weighted if there are weights."""
        return float(np.average(self.labels, weights=self.weights))


@dataclass(frozen=True)
class Fold:
    """One expanding window of the payments before the test: fit, then tune, then judge.

    Positions in the training payments followed by those of validation.
    """

    train: np.ndarray
    tune: np.ndarray
    judge: np.ndarray
