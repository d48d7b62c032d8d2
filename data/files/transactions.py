"""Payments out of a user's CSV file; `columns` converts and refuses."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl

from data.files.columns import (
    file_source,
    filled,
    flags,
    numbered,
    numbers,
    read_columns,
    repeated,
    seconds,
)
from data.tables import Transactions

_DAY_S = 86_400
_MOST_DAYS = 32_767  # what an i16 holds


def transactions_from_csv(
    path: str | Path,
    *,
    time: str = "time",
    customer: str = "customer_id",
    terminal: str = "terminal_id",
    amount: str = "amount",
    label: str = "is_fraud",
) -> Transactions:
    """Read payments, sorted by time; ids become numbers, their names stand in `extra`.

    `time` is seconds since 1970 or an ISO date and time, taken as UTC; `label` is 0 or 1.
    """
    path = Path(path)
    columns = {
        "time": time,
        "customer": customer,
        "terminal": terminal,
        "amount": amount,
        "label": label,
    }
    raw = read_columns(path, columns)
    moments = seconds(path, raw["time"], time)
    first_day = _first_day(path, moments.to_numpy(), time)
    customers, customer_names = numbered(filled(path, raw["customer"], customer), "customer_id")
    terminals, terminal_names = numbered(filled(path, raw["terminal"], terminal), "terminal_id")
    since_start = moments - first_day * _DAY_S
    frame = pl.DataFrame(
        {
            "transaction_id": pl.int_range(raw.height, dtype=pl.Int64, eager=True),
            "time_seconds": since_start,
            "day": (since_start // _DAY_S).cast(pl.Int16),
            "customer_id": customers,
            "terminal_id": terminals,
            "amount": numbers(path, raw["amount"], amount),
            "is_fraud": flags(path, raw["label"], label),
        }
    ).with_columns(pl.lit(0, dtype=pl.Int8).alias("scenario"))
    rows = (
        f"{frame.height:,} transactions, {int(frame['is_fraud'].sum()):,} frauds, "
        f"{customer_names.height:,} customers, {terminal_names.height:,} terminals"
    )
    return Transactions(
        file_source((path,), rows=rows, notice=repeated(frame.drop("transaction_id"))),
        frame.sort("time_seconds", maintain_order=True),
        datetime.fromtimestamp(first_day * _DAY_S, UTC).date(),
        {"customers": customer_names, "terminals": terminal_names},
    )


def _first_day(path: Path, times: np.ndarray, column: str) -> int:
    """Return the day since 1970 of the earliest of `times` (N,); refuse too long a span."""
    first, last = int(times.argmin()), int(times.argmax())
    first_day = int(times[first]) // _DAY_S
    span = int(times[last]) // _DAY_S - first_day
    if span > _MOST_DAYS:
        raise ValueError(
            f"{path}, row {last + 2}: column {column!r} is {span:,} days after row {first + 2}; at "
            f"most {_MOST_DAYS:,} are allowed. Correct the times."
        )
    return first_day
