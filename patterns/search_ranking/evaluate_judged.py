"""The judged-candidates protocol: each scorer orders the documents that were judged for a query.

This is how published work on this data is scored: no retrieval, about 24 documents a query, each
with a human label. It measures the ranker alone, on documents that a lexical search had found, so
it says nothing about documents that share no word with the query; `evaluate` has the whole way.
Scorers with ties are scored by the expected NDCG over random orders (`ndcg_grouped`).

The ablation grows the ranker again without one group of features at a time, on the same pairs, all
of them with larger steps than the served one, for speed: what a group adds is what is lost without
it, not its share of the splits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from common.evaluation import ranking
from common.evaluation.bootstrap import interval, paired_difference
from common.evaluation.report import Estimate, Row, Table
from patterns.search_ranking.data import JudgedQueries
from patterns.search_ranking.stages.features import NAMES, QUERY, TITLE, TRIGRAMS

if TYPE_CHECKING:
    from patterns.search_ranking.pipeline import Pipeline, Queries

ABLATION_STEP = 0.2
PUBLISHED = {"msrd": ("XGBoost notebook, as published", 0.8827)}
GROUPS = {
    "without BM25 and coverage": ("bm25_", "coverage_"),
    "without the cosine": ("cosine",),
    "without title matches": (*TITLE, *TRIGRAMS, "bm25_title"),
    "without years and sequels": ("year_gap", "number_match"),
    "without document features": ("votes", "rating", "popularity", "budget", "year"),
    "without query features": QUERY,
}


def judged_table(
    pipeline: Pipeline, queries: Queries, judged: JudgedQueries, dataset: str
) -> Table:
    """NDCG@10 of each scorer on the judged documents, the whole-text BM25 first."""
    features = pipeline.describe(queries, judged.rows)  # (B, M, F)
    column = {name: features[:, :, place] for place, name in enumerate(NAMES)}
    scorers = {
        "BM25, whole text": column["bm25_text"],
        "BM25, title": column["bm25_title"],
        "cosine": column["cosine"],
        "LambdaMART": pipeline.ranker.score(features),
    }
    rows = [
        _row(name, _ndcg(scores, judged), baseline=not place)
        for place, (name, scores) in enumerate(scorers.items())
    ]
    if dataset in PUBLISHED:
        name, value = PUBLISHED[dataset]
        rows.append(Row(name, {"NDCG@10": f"{value} (on its early-stopping set)"}))
    caption = f"{len(judged):,} test queries, {(judged.rows >= 0).sum():,} judged pairs."
    return Table("ordering the judged", ("NDCG@10",), tuple(rows), caption)


def ablation_table(pipeline: Pipeline, queries: Queries, judged: JudgedQueries) -> Table:
    """The ranker grown again without one group of features at a time."""
    features = pipeline.describe(queries, judged.rows)

    def without(group: tuple[str, ...]) -> np.ndarray:
        kept = [place for place, name in enumerate(NAMES) if not (group and name.startswith(group))]
        ranker = pipeline.refitted(kept, learning_rate=ABLATION_STEP)
        return _ndcg(ranker.score(features[:, :, kept]), judged)

    full = without(())
    rows = [Row("all features", {"NDCG@10": float(full.mean())}, baseline=True)]
    for name, group in GROUPS.items():
        values = without(group)
        change = paired_difference(values, full)
        gain = Estimate(change.value, change.low, change.high)
        rows.append(Row(name, {"NDCG@10": float(values.mean()), "change": gain}))
    caption = "Ordering the judged documents of the test queries; changes are paired by query."
    return Table("ablation of features", ("NDCG@10", "change"), tuple(rows), caption)


def lowest_ranks(pipeline: Pipeline, texts: Sequence[str]) -> np.ndarray:
    """Documents that hold the rarest known word of each query, (B,); 0 where no word is known."""
    index = pipeline.bm25.indices_["text"]
    held_by = np.diff(index.offsets_)
    terms, starts = index.terms(texts)
    out = np.zeros(len(texts), np.int64)
    for row in range(len(texts)):
        own = terms[starts[row] : starts[row + 1]]
        known = own[own >= 0]
        out[row] = held_by[known].min() if len(known) else 0
    return out


def _ndcg(scores: np.ndarray, judged: JudgedQueries) -> np.ndarray:
    kept = judged.rows >= 0  # (B, M)
    groups = np.repeat(np.arange(len(judged)), kept.sum(axis=1))
    return ranking.ndcg_grouped(judged.grades[kept], scores[kept], groups, 10)


def _row(name: str, values: np.ndarray, *, baseline: bool) -> Row:
    return Row(
        name, {"NDCG@10": Estimate(float(values.mean()), *interval(values))}, baseline=baseline
    )
