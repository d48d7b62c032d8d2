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
from patterns.search_ranking.entities.queries import JudgedQueries, Queries
from patterns.search_ranking.pipeline import BLOCK, Pipeline

PAGE, DEPTH = 10, 100
BASELINE, RANKED = "BM25, whole text", "+ ranking"
COLUMNS = (
    "Recall@100",
    "NDCG@10 judged",
    "NDCG@10 full",
    "Recall@10",
    "MRR",
    "P@10",
    "unjudged@10",
)
WITH_INTERVALS = COLUMNS[:3]
STEPS = (
    ("hybrid", BASELINE, "Recall@100"),
    ("hybrid", "BM25, by field", "Recall@100"),
    ("hybrid", "BM25, by field", "Recall@10"),
    ("hybrid", "dense", "Recall@100"),
    (RANKED, "hybrid", "NDCG@10 judged"),
    (RANKED, "hybrid", "NDCG@10 full"),
    ("+ re-ranking", RANKED, "NDCG@10 full"),
)
Scores = Mapping[str, Mapping[str, np.ndarray]]  # list -> metric -> value per query (B,)


def lists_of(pipeline: Pipeline, queries: Queries) -> dict[str, Candidates]:
    """Return the list of each source alone and after each stage, the baseline first."""
    texts = [queries.texts[block] for block in queries.blocks(BLOCK)]
    whole = [pipeline.bm25.retrieve(block, DEPTH, weights={"text": 1.0}) for block in texts]
    lexical, nearest = pipeline.sources(queries)
    merged = pipeline.hybrid.merge(lexical, nearest, max(DEPTH, pipeline.keep)).candidates
    ranked = pipeline.rank(queries, merged.head(pipeline.keep))
    return {
        BASELINE: Candidates.concatenate(whole, width=DEPTH),
        "BM25, by field": lexical.head(DEPTH),
        "dense": nearest.head(DEPTH),
        "hybrid": merged,
        RANKED: ranked,
        "+ re-ranking": pipeline.rerank(queries, ranked, DEPTH),
    }


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
        "NDCG@10 judged": ranking.ndcg(_condensed(known), judged.grades, PAGE),
        "NDCG@10 full": ranking.ndcg(full, judged.grades, PAGE),
        "MRR": ranking.mrr(full),
        "P@10": ranking.precision(full, PAGE),
        "unjudged@10": unjudged,
    }


def _condensed(known: np.ndarray) -> np.ndarray:
    """Leave unjudged documents out of the lists, moved up and padded with 0: (B, K)."""
    order = np.argsort(known < 0, axis=1, kind="stable")
    return np.maximum(np.take_along_axis(known, order, axis=1), 0.0)


def end_to_end(pipeline: Pipeline, scores: Scores) -> Table:
    """Tabulate the mean of each metric, list by list."""
    rows = []
    for name, metrics in scores.items():
        cells: dict[str, Value] = {key: float(values.mean()) for key, values in metrics.items()}
        for metric in WITH_INTERVALS:
            low, high = interval(metrics[metric], seed=pipeline.seed)
            cells[metric] = Estimate(float(metrics[metric].mean()), low, high)
        rows.append(Row(name, cells, baseline=name == BASELINE))
    caption = (
        f"{len(scores[BASELINE]['MRR']):,} test queries against the whole corpus; the ranker orders"
        f" the first {pipeline.keep} candidates. judged: unjudged documents are left"
        " out of the list; full: they count as not relevant, as they do in MRR and P@10."
    )
    return Table("end to end", COLUMNS, tuple(rows), caption)


def what_each_step_adds(pipeline: Pipeline, scores: Scores) -> Table:
    """Tabulate the paired difference that each step makes."""
    rows = []
    for after, before, metric in STEPS:
        change = paired_difference(
            scores[after][metric], scores[before][metric], seed=pipeline.seed
        )
        gain = Estimate(change.value, change.low, change.high)
        rows.append(Row(f"{after} over {before}", {"metric": metric, "gain": gain}))
    return Table("what each step adds", ("metric", "gain"), tuple(rows), "Paired by query.")
