"""The reference of drift monitoring: what the model's inputs looked like in training.

Numeric columns keep their count, missing share, mean, standard deviation and 21 quantiles, enough
for KS, PSI and quantile tracking; text and categorical columns keep their 50 most frequent
values; of a list the length is described. The profile holds no rows, so an artifact can travel
where the data may not: a value that fewer than `LEAST_ROWS` rows share (an id, a name, a free
text) is counted and not kept.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

QUANTILES = tuple(float(q) for q in np.round(np.linspace(0, 1, 21), 2))
TOP_VALUES = 50
LEAST_ROWS = 5


def describe(frame: pl.DataFrame) -> dict[str, Any]:
    """Return the profile of every column of `frame` as JSON values."""
    return {
        "rows": frame.height,
        "columns": {column: _describe_column(frame[column]) for column in frame.columns},
    }


def _describe_column(column: pl.Series) -> dict[str, Any]:
    if isinstance(column.dtype, pl.List | pl.Array):
        return _describe_numbers(column.to_frame().select(_length(column)).to_series())
    if column.dtype.is_numeric() or column.dtype == pl.Boolean:
        return _describe_numbers(column)
    counts = pl.Series("value", column.cast(pl.String).drop_nulls()).value_counts()
    shared = counts.filter(pl.col("count") >= LEAST_ROWS)
    top = shared.sort("count", "value", descending=[True, False]).head(TOP_VALUES)
    return {
        "kind": "category",
        "missing": _share(column.null_count(), len(column)),
        "distinct": counts.height,
        "values": {value: _share(count, len(column)) for value, count in top.iter_rows()},
    }


def _length(column: pl.Series) -> pl.Expr:
    values = pl.col(column.name)
    return values.arr.len() if isinstance(column.dtype, pl.Array) else values.list.len()


def _describe_numbers(column: pl.Series) -> dict[str, Any]:
    values = column.cast(pl.Float64).drop_nulls().to_numpy()
    values = values[np.isfinite(values)]
    result: dict[str, Any] = {
        "kind": "number",
        "missing": _share(len(column) - len(values), len(column)),
    }
    if len(values):
        with np.errstate(over="ignore", invalid="ignore"):  # beyond 1e150 squares overflow
            mean, std = _finite(values.mean()), _finite(values.std())
        quantiles = np.quantile(values, QUANTILES, method="nearest").tolist()
        result |= {
            "mean": mean,
            "std": std,
            "quantiles": dict(zip(map(str, QUANTILES), quantiles, strict=True)),
        }
    return result


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
