"""Payments of one part: what a model is fitted on and judged by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Payments:
    """The labelled payments of one part; features are computed over the whole table.

    What the table lacks is None.
    """

    rows: np.ndarray  # (N,) int64 rows of `Splits.frame`
    labels: np.ndarray  # (N,) int8, 0 or 1
    amounts: np.ndarray | None = None  # (N,) float64
    times: np.ndarray | None = None  # (N,) int64 seconds
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
