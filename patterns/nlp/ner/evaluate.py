"""How good the tagger is: whole entities against the baselines, by type, seen and new, how sure.

Headline: entity precision, recall and F1 with bootstrap intervals over test sentences, beside what
an answer costs. Then the paired gain over each baseline, what decoding changes, slices by type, by
whether a name was in training, by length, the kinds of errors, what confidence is worth, and a
checklist of behaviour. Each model reads the test sentences once.
"""

from __future__ import annotations

from common.evaluation.latency import measure
from common.evaluation.report import Report, parts
from common.evaluation.spans import f1_gain
from patterns.nlp.ner.config import NAME
from patterns.nlp.ner.data import Splits
from patterns.nlp.ner.evaluation.answers import answers
from patterns.nlp.ner.evaluation.behaviour import behaviour_table
from patterns.nlp.ner.evaluation.confidence import confident, thresholds
from patterns.nlp.ner.evaluation.quality import (
    BUDGET_MS,
    TIMED,
    against_baselines,
    decoding_table,
    headline_table,
)
from patterns.nlp.ner.evaluation.slices import by_length, by_novelty, by_type, errors
from patterns.nlp.ner.examples import examples
from patterns.nlp.ner.figures import draw
from patterns.nlp.ner.pipeline import Pipeline


def evaluate(pipeline: Pipeline, splits: Splits) -> Report:
    """Measure a fitted pipeline on the test sentences."""
    found, seed = answers(pipeline, splits), pipeline.seed
    sure = confident(pipeline, found)
    report = Report(NAME, splits.source, notices=[*splits.notices, *pipeline.notices])
    report.rows = parts(splits, "sentences")
    report.metric, report.served = "F1", found.served
    baseline = next(iter(found.models))
    report.gain = f1_gain(found.counts(baseline), found.counts(found.served), seed=seed)
    report.examples = examples(found, sure)
    report.tables = [
        headline_table(found, seed=seed),
        against_baselines(found, seed=seed),
        decoding_table(pipeline, found),
        *([pipeline.parity_.table()] if pipeline.parity_ else []),
        by_type(found),
        by_novelty(found),
        by_length(found),
        errors(found),
        thresholds(found, sure),
        behaviour_table(pipeline, found, seed=seed),
    ]
    texts = [" ".join(words) for words in splits.test.words[:TIMED]]
    report.latency = [
        measure("find", lambda text: pipeline.find([text]), texts, budget_ms=BUDGET_MS)
    ]
    draw(report, pipeline, found, sure)
    return report
