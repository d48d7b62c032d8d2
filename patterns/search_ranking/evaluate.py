"""How good each source and each stage is: pipeline + test queries -> report.

Two protocols, because most of what a search of the whole corpus finds was judged by nobody:

    end to end          the whole corpus is searched, and a list is scored twice: without its
                        unjudged documents, and with them as not relevant (`evaluation/end_to_end`)
    judged candidates   each scorer orders the documents judged for the query, as published work on
                        this data does (`evaluation/judged`)

Queries are the independent unit of every interval. Test queries are read here and nowhere else.
"""

from __future__ import annotations

from common.evaluation.bootstrap import paired_difference
from common.evaluation.report import Estimate, Report, parts
from patterns.search_ranking.config import NAME
from patterns.search_ranking.data import Splits
from patterns.search_ranking.evaluation.ablation import ablation
from patterns.search_ranking.evaluation.end_to_end import (
    BASELINE,
    FULL,
    end_to_end,
    lists_of,
    metrics_of,
    served_page,
    what_each_step_adds,
    what_is_served,
)
from patterns.search_ranking.evaluation.judged import judged_candidates
from patterns.search_ranking.evaluation.latency import latencies
from patterns.search_ranking.evaluation.rules import price_of_a_rule
from patterns.search_ranking.evaluation.slices import by_slice
from patterns.search_ranking.examples import examples
from patterns.search_ranking.figures import draw
from patterns.search_ranking.pipeline import Pipeline


def evaluate(pipeline: Pipeline, splits: Splits) -> Report:
    """Measure every stage on the test queries."""
    test = splits.test
    queries = pipeline.encode(test.texts, test.own)
    lists = lists_of(pipeline, queries)
    scores = {name: metrics_of(found, test) for name, found in lists.items()}
    report = Report(NAME, splits.source, notices=[*splits.notices, *pipeline.notices])
    report.tables = [end_to_end(pipeline, scores, test), what_is_served(pipeline)]
    if test.comparable:
        report.tables.append(judged_candidates(pipeline, queries, test, splits.source.name))
    else:
        report.notices.append(
            "No query has documents of two grades: orders of judged documents are left out."
        )
    report.tables.append(what_each_step_adds(pipeline, scores, test))
    if test.comparable:
        report.tables.append(ablation(pipeline, queries, test))
    report.tables += [
        by_slice(pipeline, scores, test),
        price_of_a_rule(pipeline, queries, lists[pipeline.lists.served_], test),
    ]
    report.rows = parts(splits, "queries")
    report.metric, report.served = FULL, served_page(pipeline)
    ours, base = scores[report.served][FULL], scores[BASELINE][FULL]
    report.gain = Estimate.of(paired_difference(ours, base, seed=pipeline.seed))
    report.examples = examples(pipeline, test, ours)
    report.latency = latencies(pipeline, test.texts)
    draw(report, pipeline, lists, test)
    return report
