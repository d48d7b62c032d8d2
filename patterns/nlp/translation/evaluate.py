"""How good the translator is: against word by word, by search, length and test part; how it acts.

Headline: cased sacreBLEU with a bootstrap interval over sentences, lower-cased BLEU and chrF,
beside what a sentence costs. Then paired gains, the width of the search, the cache, slices by the
length of the source, the dataset's further test parts, the vocabulary, and a checklist of
behaviour.
"""

from __future__ import annotations

from common.evaluation.report import Report, parts
from patterns.nlp.translation.config import NAME
from patterns.nlp.translation.data import Splits
from patterns.nlp.translation.evaluation.behaviour import behaviour_table
from patterns.nlp.translation.evaluation.pieces import pieces_table
from patterns.nlp.translation.evaluation.quality import (
    against_baseline,
    by_length,
    further_parts,
    gain,
    headline_table,
    latency,
    served,
    systems,
)
from patterns.nlp.translation.evaluation.searching import cache_table, widths_table
from patterns.nlp.translation.examples import examples
from patterns.nlp.translation.figures import draw
from patterns.nlp.translation.pipeline import Pipeline


def evaluate(pipeline: Pipeline, splits: Splits) -> Report:
    """Measure a fitted pipeline on the test pairs."""
    assert pipeline.translator is not None and pipeline.subwords is not None
    test, seed, translator = splits.test, pipeline.seed, pipeline.translator
    penalty = pipeline.length_penalty
    found = systems(pipeline, test)
    ours = served(pipeline, found)
    report = Report(NAME, splits.source, notices=[*splits.notices, *pipeline.notices])
    report.rows = parts(splits, "pairs")
    report.metric, report.served = "BLEU", ours.name
    report.gain = gain(ours.counts, found[0].counts, seed=seed)
    report.examples = examples(test, found[0], found[-1])
    report.tables = [
        headline_table(pipeline, splits, found),
        against_baseline(found, seed=seed),
        widths_table(translator, test, length_penalty=penalty),
        cache_table(translator, test, beam=pipeline.beam, length_penalty=penalty),
        by_length(test, found),
        *([further_parts(pipeline, splits.further)] if splits.further else []),
        pieces_table(pipeline.subwords, splits),
        behaviour_table(pipeline, test),
    ]
    report.latency = latency(pipeline, splits)
    draw(report, translator, splits)
    return report
