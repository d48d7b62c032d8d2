"""How long a single payment takes through what is served: saved, loaded, one thread, warm."""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from common.evaluation.latency import Latency, from_seconds
from common.units import DAY
from patterns.fraud.data import Splits
from patterns.fraud.entities.payment import Payment
from patterns.fraud.pipeline import Pipeline

BUDGETS_MS = {"features": 10.0, "model": 50.0, "reasons": 30.0, "all": 100.0}
WARM_UP = 20  # requests
OWN = ("transaction_id", "time_seconds", "customer_id", "terminal_id", "amount")


def latencies(pipeline: Pipeline, splits: Splits, *, samples: int = 1000) -> list[Latency]:
    """Time the stages of the saved and loaded pipeline on the last payments, a day later.

    Every stage is timed within the same requests, so the stages add up to about the whole.
    """
    with tempfile.TemporaryDirectory() as folder:
        pipeline.save(Path(folder))
        served = Pipeline.load(Path(folder))
    taken: dict[str, list[float]] = {name: [] for name in BUDGETS_MS}
    for payment in last_payments(splits, samples):
        times = _times(served, replace(payment, time_seconds=payment.time_seconds + DAY))
        for name, seconds in times.items():
            taken[name].append(seconds)
    warm = min(WARM_UP, samples // 2)
    return [
        from_seconds(name, taken[name][warm:], budget_ms=budget)
        for name, budget in BUDGETS_MS.items()
    ]


def _times(served: Pipeline, payment: Payment) -> dict[str, float]:
    """Return the seconds that each stage takes for a payment, which enters the past."""
    amount, start = np.array([payment.amount]), time.perf_counter()
    features = served.stream_.update(payment)[None]  # (1, F)
    looked = time.perf_counter()
    served.decide(features, amount)
    decided = time.perf_counter()
    served.reasons(features)
    end = time.perf_counter()
    return {
        "features": looked - start,
        "model": decided - looked,
        "reasons": end - decided,
        "all": end - start,
    }


def last_payments(splits: Splits, count: int) -> list[Payment]:
    """Return the last `count` payments of the table as they would arrive, without their labels."""
    has = splits.frame.columns
    own = [column for column in OWN if column in has]
    further = {"device_id", "account_opened", "terminal", *splits.numbers, *splits.categories}
    extras = [column for column in has if column in further]
    return [
        Payment(**{column: row[column] for column in own}, extras={c: row[c] for c in extras})
        for row in splits.frame.tail(count).iter_rows(named=True)
    ]
