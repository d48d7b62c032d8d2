"""The reference of drift monitoring: what the model's inputs looked like in training.

Numeric columns keep their count, missing share, mean, standard deviation and 21 quantiles, enough
for KS, PSI and quantile tracking; text and categorical columns keep their 50 most frequent
values. The profile holds no rows, so an artifact can travel where the data may not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

QUANTILES = tuple(float(q) for q in np.round(np.linspace(0, 1, 21), 2))
TOP_VALUES = 50


def describe(frame: pl.DataFrame) -> dict[str, Any]:
    """Give the profile of every column of `frame` as JSON values."""
    return {
        "rows": frame.height,
        "columns": {column: _describe_column(frame[column]) for column in frame.columns},
    }


def _describe_column(column: pl.Series) -> dict[str, Any]:
    if column.dtype.is_numeric() or column.dtype == pl.Boolean:
        return _describe_numbers(column.cast(pl.Float64))
    counts = column.cast(pl.String).value_counts(sort=True).head(TOP_VALUES)
    return {
        "kind": "category",
        "missing": _share(column.null_count(), len(column)),
        "distinct": column.n_unique(),
        "values": {
            str(value): _share(count, len(column)) for value, count in counts.iter_rows()
        },
    }


def _describe_numbers(column: pl.Series) -> dict[str, Any]:
    values = column.fill_nan(None).drop_nulls().to_numpy()
    values = values[np.isfinite(values)]
    result: dict[str, Any] = {
        "kind": "number",
        "missing": _share(len(column) - len(values), len(column)),
    }
    if len(values):
        result |= {
            "mean": float(values.mean()),
            "std": float(values.std()),
            "quantiles": dict(
                zip(map(str, QUANTILES), np.quantile(values, QUANTILES).tolist(), strict=True)
            ),
        }
    return result


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
