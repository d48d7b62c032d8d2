"""How long one request takes, stage by stage, held against a budget.

A mean hides what users feel, so the tail is reported: p50, p95, p99 over single requests, warm,
one after another in one process. The budget is the textbook's for the stage; a stage over its
budget is marked in the table, not left to the reader to notice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

T = TypeVar("T")


@dataclass(frozen=True)
class Latency:
    """Quantiles of one stage's time per request, in milliseconds."""

    stage: str
    p50_ms: float
    p95_ms: float
    p99_ms: float
    budget_ms: float
    samples: int

    @property
    def within_budget(self) -> bool:
        """Whether the p99 keeps the budget."""
        return self.p99_ms <= self.budget_ms


def measure(
    stage: str,
    call: Callable[[T], object],
    inputs: Sequence[T],
    *,
    budget_ms: float,
    warm_up: int = 20,
) -> Latency:
    """Time `call` on each of `inputs`, one by one, after `warm_up` untimed calls."""
    if not inputs:
        raise ValueError(f"{stage}: no inputs to time; give at least one request")
    for index in range(warm_up):
        call(inputs[index % len(inputs)])
    seconds = []
    for request in inputs:
        start = time.perf_counter()
        call(request)
        seconds.append(time.perf_counter() - start)
    return from_seconds(stage, seconds, budget_ms=budget_ms)


def from_seconds(stage: str, seconds: Iterable[float], *, budget_ms: float) -> Latency:
    """Summarise times that were taken elsewhere, for instance inside a pipeline."""
    milliseconds = 1000 * np.fromiter(seconds, dtype=float)
    if not len(milliseconds):
        raise ValueError(f"{stage}: no times were taken; time at least one request")
    p50, p95, p99 = np.quantile(milliseconds, [0.5, 0.95, 0.99]).tolist()
    return Latency(stage, p50, p95, p99, budget_ms, len(milliseconds))
