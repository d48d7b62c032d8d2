"""Transactions and labelled texts out of a user's CSV file; `csv_columns` converts and refuses."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl

from data.csv_columns import (
    file_source,
    filled,
    flags,
    numbered,
    numbers,
    read_columns,
    repeated,
    seconds,
)
from data.tables import TextClassification, Transactions

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


def texts_from_csv(
    path: str | Path,
    *,
    text: str = "text",
    label: str = "label",
    test_path: str | Path | None = None,
    test_share: float = 0.2,
    seed: int = 0,
) -> TextClassification:
    """Read labelled texts; labels are numbered in alphabetical order.

    Without `test_path`, `test_share` of each class is drawn by `seed` and set aside as the test.
    """
    path = Path(path)
    raw = _read_texts(path, text, label)
    names = tuple(sorted(raw["label"].unique().to_list()))
    if len(names) < 2:
        raise ValueError(
            f"{path}: column {label!r} holds one class ({names[0]!r}); two are needed."
        )
    paths = [path]
    if test_path is None:
        in_test = stratified_test_rows(raw["label"].to_numpy(), test_share=test_share, seed=seed)
        train, test = raw.filter(~in_test), raw.filter(in_test)
    else:
        paths.append(Path(test_path))
        train, test = raw, _read_texts(paths[1], text, label)
        for row, value in enumerate(test["label"]):
            if value not in names:
                raise ValueError(
                    f"{test_path}, row {row + 2}: label {value!r} does not occur in {path}. Add "
                    "examples of it there, or remove the row."
                )
    rows = f"{train.height:,} train texts, {test.height:,} test texts, {len(names)} classes"
    numbers = pl.col("label").replace_strict(
        {name: number for number, name in enumerate(names)}, return_dtype=pl.Int32
    )
    return TextClassification(
        file_source(paths, rows=rows, notice=None),
        train.with_columns(numbers),
        test.with_columns(numbers),
        names,
    )


def stratified_test_rows(labels: np.ndarray, *, test_share: float, seed: int) -> np.ndarray:
    """Draw the test rows of each class, (N,) bool; a class keeps at least one row for training."""
    if not 0 <= test_share < 1:
        raise ValueError(f"test_share: {test_share} is not in [0, 1). Choose, say, 0.2.")
    rng = np.random.default_rng(seed)
    in_test = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        count = min(round(test_share * len(rows)), len(rows) - 1)
        in_test[rng.permutation(rows)[:count]] = True
    if test_share and not in_test.any():
        raise ValueError(
            f"{len(labels)} rows are too few to set {test_share:.0%} of each class aside for the "
            "test. Add some, or give your own test file."
        )
    return in_test


def _read_texts(path: Path, text: str, label: str) -> pl.DataFrame:
    raw = read_columns(path, {"text": text, "label": label})
    return pl.DataFrame(
        {
            "text": filled(path, raw["text"], text, missing=("",)),  # "none" can be a whole text
            "label": filled(path, raw["label"], label),
        }
    )
