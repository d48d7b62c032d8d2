"""What serving changed: the export against the trained model, int8 against fp32."""

from __future__ import annotations

from common.evaluation.report import Row, Table, Value
from patterns.nlp.classification.pipeline import Pipeline
from patterns.nlp.classification.stages.quantisation import Gate


def serving_tables(pipeline: Pipeline) -> list[Table]:
    """Return a table for each step that was taken."""
    tables = [pipeline.parity_.table()] if pipeline.parity_ else []
    return tables + ([quantisation_table(pipeline.gate_)] if pipeline.gate_ else [])


def quantisation_table(found: Gate) -> Table:
    """Tell what int8 changed on the validation texts, and which of them serves."""
    columns = (found.measure, "same label", "MB", "served")
    full: dict[str, Value] = {
        found.measure: found.full_score, "MB": found.full_megabytes,
        "served": "no" if found.holds else "yes",
    }  # fmt: skip
    small: dict[str, Value] = {
        found.measure: found.score, "same label": found.agreement, "MB": found.megabytes,
        "served": "yes" if found.holds else "no",
    }  # fmt: skip
    rows = (Row("fp32", full, baseline=True), Row("int8", small))
    caption = f"On {found.texts:,} validation texts; their times are in the first table."
    return Table("quantisation", columns, rows, caption)
