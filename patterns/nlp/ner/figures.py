"""What is drawn of a tagger: what F1 costs, its types, its confidence, its training."""

from __future__ import annotations

import numpy as np

from common.evaluation.classifier_figures import draw_reliability, draw_training
from common.evaluation.report import Estimate, Report, Row, Table, figure
from patterns.nlp.ner.evaluation.answers import Answers
from patterns.nlp.ner.evaluation.confidence import Confident
from patterns.nlp.ner.pipeline import Pipeline


def draw(report: Report, pipeline: Pipeline, answers: Answers, sure: Confident) -> None:
    """Draw all figures."""
    _draw_cost(report, report.tables[0].rows)
    _draw_types(report, next(each for each in report.tables if each.name == "by type"))
    if len(sure):
        curves = {answers.served: sure.confidence}
        draw_reliability(report, sure.right, curves, table="confidence", bins=10)
    if pipeline.encoder is not None and pipeline.encoder.history_ is not None:
        scores = pipeline.encoder.history_.valid
        draw_training(report, scores, score="entity F1", axis="entity F1", table="gain")


def _draw_cost(report: Report, rows: tuple[Row, ...]) -> None:
    caption = "What F1 costs: up is better, left is cheaper; bars are 95 % intervals."
    with figure(report, "F1 and latency", caption, table=report.tables[0].name) as axes:
        for row in rows:
            score, time = row.values["F1"], row.values["p50 ms"]
            assert isinstance(score, Estimate) and isinstance(time, float)
            spread = [[score.value - (score.low or 0)], [(score.high or 0) - score.value]]
            axes.errorbar(time, score.value, yerr=spread, marker="o", capsize=3, label=row.name)
        axes.set_xscale("log")
        axes.set_xlabel("milliseconds a sentence (median)")
        axes.set_ylabel("entity F1")
        axes.legend()


def _draw_types(report: Report, table: Table) -> None:
    columns = [column for column in table.columns if column.endswith("F1")]
    places = np.arange(len(table.rows))
    height = 0.8 / len(columns)
    with figure(
        report, "F1 by type", "F1 of each type, the hardest first.", table=table.name
    ) as axes:
        for number, column in enumerate(columns):
            values = np.array([row.values[column] for row in table.rows], dtype=np.float64)
            label = "served" if column == "F1" else column.removesuffix(" F1")
            axes.barh(places + number * height, values, height=height, label=label)
        axes.set_yticks(places + 0.4 - height / 2, [row.name for row in table.rows])
        axes.invert_yaxis()
        axes.set_xlabel("entity F1")
        axes.legend(loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=len(columns))
