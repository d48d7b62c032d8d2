"""What is drawn of a question answerer: abstention, recall, what is asked, training."""

from __future__ import annotations

import numpy as np

from common.evaluation.classifier_figures import draw_training
from common.evaluation.report import Report, figure
from patterns.nlp.qa.evaluation.abstention import coverage_curve
from patterns.nlp.qa.evaluation.asked import Asked
from patterns.nlp.qa.evaluation.end_to_end import Retrieved
from patterns.nlp.qa.evaluation.retrieval import Ranks
from patterns.nlp.qa.pipeline import Pipeline

DEEPEST = 20  # rank up to which recall is drawn


def draw(
    report: Report, pipeline: Pipeline, asked: Asked, found: Ranks, retrieved: Retrieved
) -> None:
    """Draw all figures."""
    _draw_abstention(report, asked, retrieved)
    _draw_recall(report, found)
    _draw_slices(report)
    if pipeline.trained_ is not None and pipeline.trained_.history_ is not None:
        scores, table = pipeline.trained_.history_.valid, "question answering"
        draw_training(report, scores, score="F1", axis="validation F1", table=table)


def _draw_abstention(report: Report, asked: Asked, retrieved: Retrieved) -> None:
    caption = (
        "Mean F1 of the surest answers, as fewer questions are answered: the steeper it rises to"
        " the left, the more a threshold buys."
    )
    with figure(report, "coverage and F1", caption, table="abstention") as axes:
        curves = {
            "right context given": (asked.final.confidence, asked.final.f1),
            "retrieved": (retrieved.confidence, retrieved.unasked.said.f1),
        }
        for name, (confidence, f1) in curves.items():
            shares, values = coverage_curve(confidence, f1)
            kept = shares >= min(1.0, 20 / len(shares))  # fewer than 20 questions tell nothing
            axes.plot(shares[kept], values[kept], label=name)
        axes.set_xlabel("share of questions answered")
        axes.set_ylabel("F1 of the answers given")
        axes.legend()


def _draw_recall(report: Report, found: Ranks) -> None:
    caption = "How often the right paragraph is among the best k passages."
    depths = range(1, DEEPEST + 1)
    with figure(report, "recall by depth", caption, table="retrieval") as axes:
        for name in found.by_source:
            axes.plot(depths, [found.recall(name, k).mean() for k in depths], label=name)
        axes.set_xlabel("passages")
        axes.set_ylabel("recall of the right paragraph")
        axes.legend()


def _draw_slices(report: Report) -> None:
    table = next(each for each in report.tables if each.name == "slices")
    rows = [row for row in table.rows if row.name.startswith("asks ")]
    caption = "F1 by what is asked, with the right context given."
    with figure(report, "F1 by question word", caption, table="slices") as axes:
        places = np.arange(len(rows))
        for shift, column in ((-0.2, "baseline F1"), (0.2, "F1")):
            values = [float(row.values[column] or 0) for row in rows]  # type: ignore[arg-type]
            axes.barh(places + shift, values, height=0.38, label=column)
        axes.set_yticks(places, [row.name.removeprefix("asks ") for row in rows])
        axes.invert_yaxis()
        axes.set_xlabel("F1")
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)  # bars are everywhere
