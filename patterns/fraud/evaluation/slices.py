"""Where the served model is stronger or weaker: by scenario, amount, category and history.

A slice is there only where its column is: a scenario in a table whose truth is known, the amounts
of a world in that world's bands and those of your own payments in fifths.
"""

from __future__ import annotations

import numpy as np

from common.evaluation.classification import average_precision, precision_recall_f1
from common.evaluation.report import Row, Table, Value
from patterns.fraud.evaluation.scored import Scored
from patterns.fraud.pipeline import Pipeline
from patterns.fraud.stages.variants import RULES

BANDS = (0.0, 20.0, 50.0, 100.0, 220.0, np.inf)  # of the handbook's world
FIFTHS = (0.2, 0.4, 0.6, 0.8)
MOST_CATEGORIES, MOST_VALUES = 3, 5
THIN_HISTORY = 3  # payments in 30 days, the current one included
COLUMNS = ("payments", "frauds", "rules recall", "recall", "precision", "AP")


def slices(pipeline: Pipeline, scored: Scored) -> Table:
    """Return the rules against the served model in every slice that holds a fraud."""
    labels = scored.payments.labels
    rows = tuple(
        Row(name, _cells(pipeline, scored, members))
        for name, members in _members(pipeline, scored).items()
        if labels[members].any()
    )
    return Table("slices", COLUMNS, rows, "Precision and recall of the served decisions.")


def _members(pipeline: Pipeline, scored: Scored) -> dict[str, np.ndarray]:
    """Return which payments each slice holds, (N,) bool."""
    test = scored.payments
    found: dict[str, np.ndarray] = {}
    if test.scenarios is not None:
        found |= {f"scenario {s}": test.scenarios == s for s in (1, 2, 3)}
    if test.amounts is not None:
        found |= _by_amount(test.amounts, BANDS if test.scenarios is not None else None)
    for category in pipeline.features.categories[:MOST_CATEGORIES]:
        codes = scored.features[:, pipeline.features.position(category)]
        for code, value in enumerate(category.values[:MOST_VALUES], start=1):
            found[f"{category.column} {value or 'missing'}"] = codes == code
    if "customer_count_30d" in pipeline.features.names:
        seen = scored.features[:, pipeline.features.names.index("customer_count_30d")]
        found[f"at most {THIN_HISTORY} payments in 30 days"] = seen <= THIN_HISTORY
        found[f"over {THIN_HISTORY} payments in 30 days"] = seen > THIN_HISTORY
    return found


def _by_amount(amounts: np.ndarray, bands: tuple[float, ...] | None) -> dict[str, np.ndarray]:
    """Return the payments (N,) in each of `bands`; without any, in fifths of the amounts."""
    if bands is None:
        bands = (-np.inf, *np.unique(np.quantile(amounts, FIFTHS)).tolist(), np.inf)
    found = {}
    for low, high in zip(bands[:-1], bands[1:], strict=True):
        name = f"amount {low:g} to {high:g}"
        if not np.isfinite(low):
            name = f"amount up to {high:g}"
        elif not np.isfinite(high):
            name = f"amount over {low:g}"
        found[name] = (amounts > low) & (amounts <= high)
    return found


def _cells(pipeline: Pipeline, scored: Scored, members: np.ndarray) -> dict[str, Value]:
    served = pipeline.served_.name
    labels = scored.payments.labels[members]
    declined = scored.declined[served][members]
    found = precision_recall_f1(labels, declined.astype(np.int8), average="binary")
    cells: dict[str, Value] = {
        "payments": f"{len(labels):,}",
        "frauds": f"{int(labels.sum()):,}",
        "rules recall": float(scored.declined[RULES][members][labels == 1].mean()),
        "recall": found.recall,
    }
    if labels.sum() < len(labels):  # a scenario holds frauds alone: nothing to be precise about
        weights = scored.payments.weights
        ap = average_precision(
            labels,
            scored.calibrated[served][members],
            None if weights is None else weights[members],
        )
        cells |= {"precision": found.precision, "AP": ap}
    return cells
