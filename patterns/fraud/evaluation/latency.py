"""How long a single payment takes through what is served: saved, loaded, one thread, warm."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from common.evaluation.latency import Latency, measure
from common.units import DAY
from patterns.fraud.data import Splits
from patterns.fraud.entities.payment import Payment
from patterns.fraud.pipeline import Pipeline

BUDGETS_MS = {"features": 10.0, "model": 50.0, "reasons": 30.0, "all": 100.0}
OWN = ("transaction_id", "time_seconds", "customer_id", "terminal_id", "amount")


def latencies(pipeline: Pipeline, splits: Splits, *, samples: int = 1000) -> list[Latency]:
    """Time the stages of the saved and loaded pipeline on the last payments, a day later."""
    with tempfile.TemporaryDirectory() as folder:
        pipeline.save(Path(folder))
        served = Pipeline.load(Path(folder))
    payments = [
        replace(p, time_seconds=p.time_seconds + DAY) for p in last_payments(splits, samples)
    ]
    rows = [served.stream_.peek(payment)[None] for payment in payments]
    pairs = [(row, np.array([p.amount])) for row, p in zip(rows, payments, strict=True)]

    def whole(payment: Payment) -> None:
        features, _ = served.score([payment])
        served.reasons(features)

    timed: dict[str, tuple[Callable[[Any], object], Sequence[Any]]] = {
        "features": (served.stream_.peek, payments),
        "model": (lambda pair: served.decide(*pair), pairs),
        "reasons": (served.reasons, rows),
        "all": (whole, payments),
    }
    return [
        measure(name, call, inputs, budget_ms=BUDGETS_MS[name])
        for name, (call, inputs) in timed.items()
    ]


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
