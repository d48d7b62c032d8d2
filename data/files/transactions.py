"""Payments out of a user's table; `columns` converts and refuses."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl

from common.own_files import TimedTableOptions
from data.files.columns import Columns, file_source, numbered, read_columns, repeated
from data.files.dates import span_of
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
    options: TimedTableOptions | None = None,
) -> Transactions:
    """Read payments, sorted by time; ids become numbers, their names stand in `extra`.

    `time` is read as `options` say, in UTC; `label` is 0 or 1.
    """
    path, options = Path(path), options or TimedTableOptions()
    names = {"time": time, "customer": customer, "terminal": terminal}
    names |= {"amount": amount, "label": label}
    read = read_columns(path, names, options)
    moments = read.seconds("time", options)
    customers, customer_names = numbered(read.filled("customer"), "customer_id")
    terminals, terminal_names = numbered(read.filled("terminal"), "terminal_id")
    amounts, labels = read.numbers("amount"), read.flags("label")
    read.check()
    first_day = _first_day(read, moments.to_numpy())
    since_start = moments - first_day * _DAY_S
    frame = pl.DataFrame(
        {
            "transaction_id": pl.int_range(len(moments), dtype=pl.Int64, eager=True),
            "time_seconds": since_start,
            "day": (since_start // _DAY_S).cast(pl.Int16),
            "customer_id": customers,
            "terminal_id": terminals,
            "amount": amounts,
            "is_fraud": labels,
        }
    ).with_columns(pl.lit(0, dtype=pl.Int8).alias("scenario"))
    rows = (
        f"{frame.height:,} transactions, {int(frame['is_fraud'].sum()):,} frauds, "
        f"{customer_names.height:,} customers, {terminal_names.height:,} terminals, "
        f"{span_of(moments)}"
    )
    said = [repeated(frame.drop("transaction_id")), *read.notes()]
    return Transactions(
        file_source((path,), rows=rows, notice=" ".join(filter(None, said)) or None),
        frame.sort("time_seconds", maintain_order=True),
        datetime.fromtimestamp(first_day * _DAY_S, UTC).date(),
        {"customers": customer_names, "terminals": terminal_names},
    )


def _first_day(read: Columns, times: np.ndarray) -> int:
    """Return the day since 1970 of the earliest of `times` (N,); refuse too long a span."""
    first, last = int(times.argmin()), int(times.argmax())
    first_day = int(times[first]) // _DAY_S
    span = int(times[last]) // _DAY_S - first_day
    if span > _MOST_DAYS:
        text = (
            f"{span:,} days after row {read.table.rows[first]}; at most {_MOST_DAYS:,} are allowed"
        )
        read.fault_at("time", last, f"{text}. Correct it")
        read.check()
    return first_day
