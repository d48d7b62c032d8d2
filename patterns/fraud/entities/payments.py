"""Payments of one part: what a model is fitted on and judged by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Payments:
    """The payments of one part; features are computed over the whole table and cut by `rows`."""

    rows: np.ndarray  # (N,) int64 rows of `Splits.frame`
    labels: np.ndarray  # (N,) int8
    amounts: np.ndarray  # (N,) float64
    days: np.ndarray  # (N,) int16
    customers: np.ndarray  # (N,) int32
    scenarios: np.ndarray  # (N,) int8, 0 where genuine or unknown

    def __len__(self) -> int:
        return len(self.rows)
