"""How good is the ranker on judged candidates: each scorer orders the documents judged for a query?

This is how published work on this data is scored: no retrieval, about 24 documents a query, each
with a human label. It measures the ranker alone, on documents that a lexical search had found, so
it says nothing about documents that share no word with the query; `end_to_end` has the whole way.
Scorers with ties are scored by the expected NDCG over random orders (`ndcg_grouped`).

Shapes: B queries, P judged pairs.
"""

from __future__ import annotations

import numpy as np

from common.evaluation.bootstrap import interval
from common.evaluation.ranking import ndcg_grouped
from common.evaluation.report import Estimate, Row, Table
from patterns.search_ranking.entities.documents import ALL
from patterns.search_ranking.entities.queries import GAIN, JudgedQueries, Queries
from patterns.search_ranking.pipeline import Pipeline
from patterns.search_ranking.stages.training_set import RankingSet, described

PUBLISHED = {"msrd": ("XGBoost notebook, as published", 0.8827)}


def judged_candidates(
    pipeline: Pipeline, queries: Queries, judged: JudgedQueries, dataset: str
) -> Table:
    """Tabulate NDCG@10 of each scorer on the judged documents, the whole-text BM25 first."""
    pairs = described(judged, queries, pipeline.features)
    column = dict(zip(pipeline.features.names, pairs.features.T, strict=True))
    scorers = {
        "BM25, whole text": column[f"bm25_{ALL}"],
        "BM25, title": column["bm25_title"],
        "cosine": column["cosine"],
        "LambdaMART": pipeline.ranker.score(pairs.features),
    }
    rows: list[Row] = []
    for name, scores in scorers.items():
        values = ndcg_of(scores, pairs)
        low, high = interval(values, seed=pipeline.seed)
        estimate = Estimate(float(values.mean()), low, high)
        rows.append(Row(name, {"NDCG@10": estimate}, baseline=not rows))
    if dataset in PUBLISHED:
        name, value = PUBLISHED[dataset]
        rows.append(Row(name, {"NDCG@10": f"{value} (on its early-stopping set)"}))
    caption = f"{len(judged):,} test queries, {(judged.rows >= 0).sum():,} judged pairs."
    return Table("ordering the judged", ("NDCG@10",), tuple(rows), caption)


def ndcg_of(scores: np.ndarray, pairs: RankingSet) -> np.ndarray:
    """Score the order that `scores` (P,) give the judged documents by NDCG@10, (B,)."""
    groups = np.repeat(np.arange(len(pairs.groups)), pairs.groups)
    return ndcg_grouped(pairs.labels, scores, groups, 10, gain=GAIN)
