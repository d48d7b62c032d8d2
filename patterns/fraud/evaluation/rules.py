"""Whether each rule is still as precise as it was on the training days."""

from __future__ import annotations

from common.evaluation.report import Row, Table, Value
from patterns.fraud.evaluation.scored import Scored
from patterns.fraud.pipeline import Pipeline

COLUMNS = ("condition", "train precision", "test precision", "test hits", "test frauds")


def rules(pipeline: Pipeline, scored: Scored) -> Table | None:
    """Return condition, precision and hits of every rule; None if there is none."""
    fitted = pipeline.rules.model
    if not fitted.rules_:
        return None
    counts = fitted.table(scored.features, scored.payments.labels)
    rows: list[Row] = []
    for rule, learned in zip(fitted.rules_, fitted.precision_, strict=True):
        hit, frauds = counts[rule.code]
        condition = f"{rule.feature} > {rule.limit:g}"
        if rule.also:
            condition += f" and {rule.also} > {rule.also_limit:g}"
        cells: dict[str, Value] = {
            "condition": condition,
            "train precision": float(learned),
            "test precision": frauds / hit if hit else None,
            "test hits": f"{hit:,}",
            "test frauds": f"{frauds:,}",
        }
        rows.append(Row(rule.code, cells))
    caption = "The baseline."
    if pipeline.fallback_ is pipeline.rules:
        caption = "The baseline, and the fallback when the model fails."
    return Table("rules", COLUMNS, tuple(rows), caption)
