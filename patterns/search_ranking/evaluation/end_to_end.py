"""How good is a search of the whole corpus: each source alone, then what every stage adds?

Most of what such a search finds was judged by nobody, so each list is scored twice. "judged" leaves
the unjudged out before a list is scored (Sakai 2007, condensed lists) and flatters whoever finds
odd documents; "full" counts them as not relevant and punishes what the judges never saw. The truth
lies between; the share of unjudged in the first ten says where.

Shapes: B queries, K ranked documents.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from common.evaluation import ranking
from common.evaluation.bootstrap import interval, paired_difference
from common.evaluation.report import Estimate, Row, Table, Value
from common.retrieval import Candidates
from patterns.search_ranking.entities.queries import GAIN, JudgedQueries, Queries
from patterns.search_ranking.pipeline import Pipeline
from patterns.search_ranking.stages.candidates.sources import BY_FIELD, DENSE, HYBRID
from patterns.search_ranking.stages.lists import DEPTH, PAGE, RANKED

BASELINE = "BM25, whole text"
JUDGED, FULL = "NDCG@10 judged", "NDCG@10 full"
UNJUDGED = "unjudged@10"
COLUMNS = ("Recall@100", JUDGED, FULL, "MAP", "Recall@10", "MRR", "P@10", UNJUDGED)
WITH_INTERVALS = (*COLUMNS[:3], "MAP")
Scores = Mapping[str, Mapping[str, np.ndarray]]  # list -> metric -> value per query (B,)


def served_page(pipeline: Pipeline) -> str:
    """Name the list that a user gets."""
    served = pipeline.lists.served_
    return "+ re-ranking" if served == RANKED else f"{served} + re-ranking"


def lists_of(pipeline: Pipeline, queries: Queries) -> dict[str, Candidates]:
    """Return the list of each source alone and after each stage, the baseline first.

    The last is what is served: the list that validation preferred, re-ranked.
    """
    lists = {BASELINE: pipeline.sources.whole_text(queries, DEPTH), **pipeline.lists.every(queries)}
    page = pipeline.reranker.rerank(queries.texts, lists[pipeline.lists.served_], DEPTH)
    return {**lists, served_page(pipeline): page}


def metrics_of(found: Candidates, judged: JudgedQueries) -> dict[str, np.ndarray]:
    """Score a list by each metric, per query (B,)."""
    known = judged.gains_of(found.item_ids, unjudged=-1.0)  # (B, K), -1 where nobody judged
    full = np.maximum(known, 0.0)
    total = (judged.grades > 0).sum(axis=1)
    shown = (found.item_ids[:, :PAGE] >= 0).sum(axis=1)
    unjudged = (known[:, :PAGE] < 0).sum(axis=1) / np.maximum(shown, 1)
    return {
        "Recall@100": ranking.recall(full, total, DEPTH),
        "Recall@10": ranking.recall(full, total, PAGE),
        JUDGED: ranking.ndcg(_condensed(known), judged.grades, PAGE, gain=GAIN),
        FULL: ranking.ndcg(full, judged.grades, PAGE, gain=GAIN),
        "MAP": ranking.average_precision(full, total, DEPTH),
        "MRR": ranking.mrr(full),
        "P@10": ranking.precision(full, PAGE),
        UNJUDGED: unjudged,
    }


def _condensed(known: np.ndarray) -> np.ndarray:
    """Leave unjudged documents out of the lists, moved up and padded with 0: (B, K)."""
    order = np.argsort(known < 0, axis=1, kind="stable")
    return np.maximum(np.take_along_axis(known, order, axis=1), 0.0)


def columns_for(judged: JudgedQueries) -> tuple[str, ...]:
    """Return the metrics that can tell lists of these judgments apart.

    Where only relevant documents were judged, a list without its unjudged documents is perfect.
    """
    if not judged.relevant_only:
        return COLUMNS
    return tuple(name for name in COLUMNS if name not in (JUDGED, UNJUDGED))


def end_to_end(pipeline: Pipeline, scores: Scores, judged: JudgedQueries) -> Table:
    """Tabulate the mean of each metric, list by list; the last row is what is served."""
    columns = columns_for(judged)
    rows = []
    for name, metrics in scores.items():
        cells: dict[str, Value] = {key: float(metrics[key].mean()) for key in columns}
        for metric in set(WITH_INTERVALS) & set(columns):
            low, high = interval(metrics[metric], seed=pipeline.seed)
            cells[metric] = Estimate(float(metrics[metric].mean()), low, high)
        rows.append(Row(name, cells, baseline=name == BASELINE))
    how = "judged: unjudged documents are left out of the list; full: they count as not relevant,"
    if JUDGED not in columns:
        how = "Only relevant documents were judged; all others count as not relevant,"
    caption = (
        f"{len(judged):,} test queries against the whole corpus; the ranker orders the first"
        f" {pipeline.lists.keep} candidates. The last row is served. {how}"
        " as they do in MAP, MRR, P@10."
    )
    return Table("end to end", columns, tuple(rows), caption)


def what_is_served(pipeline: Pipeline) -> Table:
    """Tabulate NDCG@10 of the lists on validation, by which the one served was chosen."""
    served = pipeline.lists.served_
    rows = [
        Row(name, {"valid NDCG@10": value, "served": "yes" if name == served else ""})
        for name, value in pipeline.lists.valid_ndcgs_.items()
    ]
    caption = (
        "The whole corpus is searched; unjudged documents are not relevant. The best is served,"
        f" re-ranked with a trade-off of {pipeline.reranker.trade_off_:g}."
    )
    return Table("what is served", ("valid NDCG@10", "served"), tuple(rows), caption)


def what_each_step_adds(pipeline: Pipeline, scores: Scores, judged: JudgedQueries) -> Table:
    """Tabulate the paired difference that each step makes."""
    steps = (
        (HYBRID, BASELINE, "Recall@100"),
        (HYBRID, BY_FIELD, "Recall@100"),
        (HYBRID, BY_FIELD, "Recall@10"),
        (HYBRID, DENSE, "Recall@100"),
        (HYBRID, BY_FIELD, FULL),
        (RANKED, HYBRID, JUDGED),
        (RANKED, HYBRID, FULL),
        (served_page(pipeline), pipeline.lists.served_, FULL),
    )
    rows = []
    for after, before, metric in steps:
        if metric not in columns_for(judged):
            continue
        change = paired_difference(
            scores[after][metric], scores[before][metric], seed=pipeline.seed
        )
        gain = Estimate(change.value, change.low, change.high)
        rows.append(Row(f"{after} over {before}", {"metric": metric, "gain": gain}))
    return Table("what each step adds", ("metric", "gain"), tuple(rows), "Paired by query.")
