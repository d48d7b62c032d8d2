"""Where the served model is stronger or weaker: by scenario, amount and length of history."""

from __future__ import annotations

import numpy as np

from common.evaluation.classification import average_precision, precision_recall_f1
from common.evaluation.report import Row, Table, Value
from patterns.fraud.evaluation.scored import Scored
from patterns.fraud.pipeline import RULES, Pipeline

BANDS = (0.0, 20.0, 50.0, 100.0, 220.0, np.inf)
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
    return Table("slices", COLUMNS, rows, "Recall at the served threshold.")


def _members(pipeline: Pipeline, scored: Scored) -> dict[str, np.ndarray]:
    """Return which payments each slice holds, (N,) bool."""
    test = scored.payments
    found = {f"scenario {s}": test.scenarios == s for s in (1, 2, 3)}
    for low, high in zip(BANDS[:-1], BANDS[1:], strict=True):
        name = f"amount {low:g} to {high:g}" if np.isfinite(high) else f"amount over {low:g}"
        found[name] = (test.amounts > low) & (test.amounts <= high)
    if "customer_count_30d" in pipeline.features.names:
        seen = scored.features[:, pipeline.features.names.index("customer_count_30d")]
        found[f"at most {THIN_HISTORY} payments in 30 days"] = seen <= THIN_HISTORY
        found[f"over {THIN_HISTORY} payments in 30 days"] = seen > THIN_HISTORY
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
        ap = average_precision(labels, scored.calibrated[served][members])
        cells |= {"precision": found.precision, "AP": ap}
    return cells
