"""Payments of one part: what a model is fitted on and judged by."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import polars as pl


@dataclass(frozen=True)
class Payments:
    """The labelled payments of one part; features are computed over the whole table.

    What the table lacks is None.
    """

    rows: np.ndarray  # (N,) int64 rows of `Splits.frame`
    labels: np.ndarray  # (N,) int8, 0 or 1
    amounts: np.ndarray | None = None  # (N,) float64, what fraud would cost: a refund costs 0
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

    @classmethod
    def from_frame(cls, frame: pl.DataFrame, rows: np.ndarray) -> Self:
        """Return the payments at `rows` (N,) of a table."""
        chosen = frame[rows]

        def column(name: str) -> np.ndarray | None:
            return chosen[name].to_numpy() if name in chosen.columns else None

        amounts = column("amount")
        return cls(
            rows=rows,
            labels=chosen["is_fraud"].to_numpy(),
            amounts=None if amounts is None else np.maximum(amounts, 0),
            times=column("time_seconds"),
            days=column("day"),
            customers=column("customer_id"),
            scenarios=column("scenario"),
            weights=column("weight"),
        )

    def take(self, places: np.ndarray) -> Self:
        """Return the payments at `places`, which count from 0 within this part."""
        held = {name: each[places] for name, each in vars(self).items() if each is not None}
        return replace(self, **held)

    def followed_by(self, other: Payments) -> Self:
        """Return the payments of both parts; what either lacks is None."""
        held: dict[str, Any] = {}
        for name, first in vars(self).items():
            second = getattr(other, name)
            either_lacks = first is None or second is None
            held[name] = None if either_lacks else np.concatenate([first, second])
        return replace(self, **held)
