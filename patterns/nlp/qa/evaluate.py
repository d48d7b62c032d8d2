"""How good the answers are: with the right context, and where the passage must be found first.

Headline: exact match and F1 as SQuAD scores them, with bootstrap intervals, of the reader against
word overlap, each test question with its right context. Then retrieval by source, the answers from
retrieved passages with what they cite, what abstention buys, what a
generator says if there is one, slices, the export, the behaviour
checklist, and the latency of both ways to ask. Test questions are read once.
"""

from __future__ import annotations

from common.evaluation.latency import Latency, measure
from common.evaluation.report import Report, parts
from patterns.nlp.qa.config import NAME
from patterns.nlp.qa.data import Splits
from patterns.nlp.qa.evaluation.abstention import abstention_table
from patterns.nlp.qa.evaluation.asked import (
    BUDGET_MS,
    TIMED,
    Asked,
    ask,
    gain,
    headline_table,
    unanswerable_table,
)
from patterns.nlp.qa.evaluation.behaviour import behaviour_table
from patterns.nlp.qa.evaluation.end_to_end import answer_retrieved, end_to_end_table
from patterns.nlp.qa.evaluation.generation import generation_tables
from patterns.nlp.qa.evaluation.retrieval import ranks, retrieval_table
from patterns.nlp.qa.evaluation.slices import slices_table
from patterns.nlp.qa.examples import examples
from patterns.nlp.qa.figures import draw
from patterns.nlp.qa.pipeline import Pipeline

RETRIEVED_MS = 300.0  # the budget of an answer that is searched for


def evaluate(pipeline: Pipeline, splits: Splits) -> Report:
    """Measure a fitted pipeline on the test questions."""
    assert pipeline.served_ is not None and pipeline.answering is not None
    seed, abstention = pipeline.seed, pipeline.answering.abstention_
    asked = ask(pipeline, splits)
    found = ranks(pipeline, splits)
    retrieved = answer_retrieved(pipeline, splits)
    report = Report(NAME, splits.source, notices=[*splits.notices, *pipeline.notices])
    report.rows = parts(splits, "questions")
    report.metric, report.served = "F1", asked.served
    report.gain = gain(asked, seed=seed)
    report.examples = examples(asked, retrieved)
    unanswerable = unanswerable_table(asked)
    report.tables = [
        headline_table(asked, splits, seed=seed),
        retrieval_table(found, seed=seed),
        end_to_end_table(retrieved, splits, seed=seed),
        abstention_table(retrieved, abstention.threshold_),
        *generation_tables(pipeline, splits, retrieved),
        *([unanswerable] if unanswerable else []),
        slices_table(asked),
        *([pipeline.parity_.table()] if pipeline.parity_ else []),
        behaviour_table(pipeline.served_, asked, seed=seed),
    ]
    report.printed = 3
    report.latency = latencies(pipeline, asked)
    draw(report, pipeline, asked, found, retrieved)
    return report


def latencies(pipeline: Pipeline, asked: Asked) -> list[Latency]:
    """Time one question at a time, with its context and without."""
    pairs = list(zip(asked.part.texts, asked.part.contexts, strict=True))[:TIMED]
    return [
        measure("answer in a context", lambda pair: pipeline.answer([pair[0]], [pair[1]]), pairs,
                budget_ms=BUDGET_MS, warm_up=10),
        measure("retrieve, read and answer", lambda pair: pipeline.answer([pair[0]]), pairs,
                budget_ms=RETRIEVED_MS, warm_up=10),
    ]  # fmt: skip
