"""Which features a table allows: the handbook's, or all that its columns hold.

The values of categories that get a code of their own are those of the training payments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from patterns.fraud.stages.features.definition import HANDBOOK, LABEL_DELAY, FeatureSet, standard

LEAST_OF_TERMINAL = 100  # training payments: with fewer, a terminal's own frauds are chance


def allowed(
    frame: pl.DataFrame,
    *,
    train: np.ndarray,
    kind: str = "standard",
    delay: int = LABEL_DELAY,
    calendar: bool = True,
    numbers: Sequence[str] = (),
    categories: Sequence[str] = (),
) -> FeatureSet:
    """Return the features of a `kind`, standard or handbook, that the columns of `frame` allow.

    `train` are the rows of the training payments; `numbers` and `categories` the further columns,
    which standard features take, and with them `terminal`, where the table names its few terminals:
    those of many training payments. Raises `ValueError` where the handbook's lack a column.
    """
    columns = set(frame.columns)
    refunds = "amount" in columns and bool((frame["amount"] < 0).any())
    if kind == "handbook":
        if lacking := HANDBOOK.columns - columns:
            raise ValueError(f"kind: handbook needs {', '.join(sorted(lacking))}; give standard")
        return replace(HANDBOOK, refunds=refunds)
    training = frame[train]
    values = {column: frequent(training[column]) for column in categories}
    if "terminal" in columns:
        values["terminal"] = frequent(training["terminal"], least=LEAST_OF_TERMINAL)
    return standard(
        columns=columns,
        delay=delay,
        calendar=calendar,
        numbers=tuple(numbers),
        categories={column: known for column, known in values.items() if known},
        optional=tuple(c for c in (*numbers, *categories) if has_missing(frame[c])),
        refunds=refunds,
    )


def frequent(values: pl.Series, *, most: int = 254, least: int = 10) -> tuple[str, ...]:
    """Return the values that get a code of their own, the most frequent first, ties by name.

    At most `most` of them, each in at least `least` rows; `values` are those of training.
    """
    counts = values.value_counts(name="rows").filter(pl.col("rows") >= least)
    ordered = counts.sort("rows", values.name, descending=[True, False])
    return tuple(ordered[values.name].head(most).to_list())


def has_missing(values: pl.Series) -> bool:
    """Tell whether a further column lacks a value somewhere: a number is null, a category empty."""
    return bool(values.is_null().any() or (values.dtype == pl.String and (values == "").any()))
