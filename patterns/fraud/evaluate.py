"""How good fraud detection is: ranking, probabilities, money, slices, windows, latency.

The questions are in `evaluation`, one a file; `figures` draws. The test days are read here, once:
everything chosen (trees, calibration, threshold, which variant to serve) was chosen on validation.
"""

from __future__ import annotations

from common.evaluation.report import Report, parts
from patterns.fraud.config import NAME
from patterns.fraud.data import Splits
from patterns.fraud.evaluation.choice import choice
from patterns.fraud.evaluation.decisions import decisions
from patterns.fraud.evaluation.imbalance import imbalance
from patterns.fraud.evaluation.latency import latencies
from patterns.fraud.evaluation.quality import gain_over_rules, quality
from patterns.fraud.evaluation.rules import rules
from patterns.fraud.evaluation.scored import score
from patterns.fraud.evaluation.slices import slices
from patterns.fraud.evaluation.windows import windows
from patterns.fraud.examples import examples
from patterns.fraud.figures import draw
from patterns.fraud.pipeline import Pipeline


def evaluate(pipeline: Pipeline, splits: Splits) -> Report:
    """Measure every variant on the test days."""
    scored = score(pipeline, splits)
    report = Report(NAME, splits.source, notices=[*splits.notices, *pipeline.notices])
    tables = [
        quality(pipeline, scored),
        decisions(pipeline, scored),
        imbalance(pipeline, scored),
        choice(pipeline),
        slices(pipeline, scored),
        windows(pipeline, splits),
        rules(pipeline, scored),
    ]
    report.tables = [table for table in tables if table is not None and table.rows]
    report.printed, report.rows = 2, parts(splits, "payments")
    report.metric, report.served = "AP", pipeline.served_.name
    report.gain = gain_over_rules(pipeline, scored)
    report.examples = examples(pipeline, splits, scored)
    report.latency = latencies(pipeline, splits)
    draw(report, pipeline, splits, scored)
    return report
