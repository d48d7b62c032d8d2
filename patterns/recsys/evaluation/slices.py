"""For whom is it good: by length of history, by attributes, by device and other context?

Shapes: `B` requests.
"""

from __future__ import annotations

import numpy as np

from common.evaluation.report import Row, Table
from patterns.recsys.entities.requests import Requests
from patterns.recsys.pipeline import Pipeline

LONG_HISTORY = 50
MOST_VALUES = 10  # of a context column
Slices = dict[str, np.ndarray]
"""Name of a slice -> its requests (B,) bool."""


def slice_tables(
    pipeline: Pipeline, requests: Requests, ndcg: dict[str, np.ndarray]
) -> list[Table]:
    """Return NDCG@10 (B,) of every list on each slice that has users; no table without slices."""
    tables = [
        _table("NDCG@10 by history", ndcg, _by_history(requests)),
        _table("NDCG@10 by who and where", ndcg, _by_attributes(pipeline, requests)),
    ]
    return [table for table in tables if table.rows]


def _by_history(requests: Requests) -> Slices:
    """Cut by length of history: none, short, long."""
    length = np.diff(requests.seen.indptr)
    return {
        "no history": length == 0,
        f"1–{LONG_HISTORY} items": (length > 0) & (length <= LONG_HISTORY),
        f"over {LONG_HISTORY} items": length > LONG_HISTORY,
    }


def _by_attributes(pipeline: Pipeline, requests: Requests) -> Slices:
    """Cut by gender and age where they are known, by device and further context columns."""
    catalogue = pipeline.catalogue
    found: Slices = {}
    for place, name in enumerate(catalogue.segment_names):
        codes = requests.segments[:, place]
        if name == "gender":
            told = enumerate(catalogue.values_of("gender"), start=1)
            found |= {value: codes == code for code, value in told}
        if name == "age":
            found |= {"age under 25": (codes > 0) & (codes < 3), "age 25 and over": codes >= 3}
    for place, (column, values) in enumerate(catalogue.contexts.items()):
        for code, value in enumerate(values[:MOST_VALUES], start=1):
            found[f"{column}={value}"] = requests.contexts[:, place] == code
    return found


def _table(title: str, ndcg: dict[str, np.ndarray], slices: Slices) -> Table:
    rows = []
    for name, members in slices.items():
        if members.any():
            cells = {column: float(values[members].mean()) for column, values in ndcg.items()}
            rows.append(Row(name, {"users": str(int(members.sum())), **cells}))
    return Table(title, ("users", *ndcg), tuple(rows))
