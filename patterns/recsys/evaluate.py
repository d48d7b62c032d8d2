"""How good the recommender is: each source alone, what every stage adds, pages, and cold starts.

The whole catalogue is ranked, no negatives are sampled; the answers are the future of the test
window (`evaluation/asked`). Each question has a file in `evaluation/`, each figure is drawn in
`figures`.
"""

from __future__ import annotations

from common.evaluation.bootstrap import paired_difference
from common.evaluation.report import Estimate, Report, parts
from patterns.recsys.config import NAME
from patterns.recsys.data import Splits
from patterns.recsys.evaluation.asked import RERANKED, ask
from patterns.recsys.evaluation.cold import hold_out, new_items_table, new_users_table
from patterns.recsys.evaluation.latency import latencies
from patterns.recsys.evaluation.pages import online_table, pages_table
from patterns.recsys.evaluation.quality import (
    best_source,
    choice_table,
    gains_table,
    left_out_table,
    quality_table,
)
from patterns.recsys.evaluation.rankers import rankers_table, ratings_table
from patterns.recsys.evaluation.scorer import Scorer
from patterns.recsys.evaluation.slices import slice_tables
from patterns.recsys.examples import examples
from patterns.recsys.figures import draw
from patterns.recsys.pipeline import Pipeline
from patterns.recsys.stages.serving import MERGED, RANKED


def evaluate(pipeline: Pipeline, splits: Splits) -> Report:
    """Measure every stage on the test window."""
    asked = ask(pipeline, splits)
    scorer = Scorer(pipeline, asked, splits)
    ndcg = {name: scorer.ndcg(found) for name, found in asked.lists.items()}
    report = Report(NAME, splits.source, notices=[*splits.notices, *pipeline.notices])
    report.rows = parts(splits, "events")
    report.tables = [
        quality_table(pipeline, asked, scorer),
        choice_table(pipeline),
        gains_table(pipeline, ndcg),
        left_out_table(pipeline, asked, scorer),
        rankers_table(pipeline, asked, scorer),
        *([pages_table(pipeline, scorer, asked.served)] if scorer.has_genres else []),
        *slice_tables(pipeline, asked.requests, ndcg),
    ]
    first = pipeline.sources.names[0]
    report.metric, report.served = "NDCG@10", report.tables[0].rows[-1].name
    gain = paired_difference(ndcg[RERANKED], ndcg[first], seed=pipeline.seed)
    report.gain = Estimate.of(gain)
    report.examples = examples(pipeline, asked, ndcg[RERANKED])
    if scorer.truth is not None:
        best = best_source(pipeline, ndcg)
        steps = dict.fromkeys((first, best, MERGED, RANKED, RERANKED))
        report.tables.append(online_table(scorer, {name: asked.lists[name] for name in steps}))
    if (ratings := ratings_table(splits)) is not None:
        report.tables.append(ratings)
    held_out = hold_out(pipeline, splits.train.joined(splits.valid))
    users, items = new_users_table(pipeline, held_out), new_items_table(pipeline, held_out)
    report.tables += [table for table in (users, items) if table is not None]
    report.notices += held_out.notices(users, items)
    report.latency = latencies(pipeline, asked.requests)
    draw(report, pipeline, scorer, asked.lists, users)
    return report
