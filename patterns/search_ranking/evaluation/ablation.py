"""What does each group of features add?

The ranker is grown again without one group at a time, on the same pairs, all of them with larger
steps than the served one, for speed: what a group adds is what is lost without it, not its share of
the splits.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np

from common.evaluation.bootstrap import paired_difference
from common.evaluation.report import Estimate, Row, Table
from patterns.search_ranking.entities.queries import JudgedQueries, Queries
from patterns.search_ranking.evaluation.judged import ndcg_of
from patterns.search_ranking.pipeline import Pipeline
from patterns.search_ranking.stages.features import FILM, FILM_NUMBERS, QUERY, TITLE, TRIGRAMS
from patterns.search_ranking.stages.ranking import LambdaMart
from patterns.search_ranking.stages.training_set import described

LEARNING_RATE = 0.2
GROUPS = {
    "without BM25 and coverage": ("bm25_", "coverage_"),
    "without the cosine": ("cosine",),
    "without title matches": (*TITLE, *TRIGRAMS, "bm25_title"),
    "without years and sequels": FILM,
    "without document features": (*FILM_NUMBERS, "value_"),
    "without query features": QUERY,
}


def ablation(pipeline: Pipeline, queries: Queries, judged: JudgedQueries) -> Table:
    """Tabulate NDCG@10 on the judged documents without one group of features at a time."""
    pairs = described(judged, queries, pipeline.features)
    names = pipeline.features.names

    def without(group: tuple[str, ...]) -> np.ndarray:
        kept = [place for place, name in enumerate(names) if not (group and name.startswith(group))]
        return ndcg_of(_grown_on(pipeline, kept).score(pairs.features[:, kept]), pairs)

    full = without(())
    rows = [Row("all features", {"NDCG@10": float(full.mean())}, baseline=True)]
    for name, group in GROUPS.items():
        if not any(each.startswith(group) for each in names):
            continue
        values = without(group)
        change = paired_difference(values, full, seed=pipeline.seed)
        gain = Estimate(change.value, change.low, change.high)
        rows.append(Row(name, {"NDCG@10": float(values.mean()), "change": gain}))
    caption = "Ordering the judged documents of the test queries; changes are paired by query."
    return Table("ablation of features", ("NDCG@10", "change"), tuple(rows), caption)


def _grown_on(pipeline: Pipeline, columns: Sequence[int]) -> LambdaMart:
    """Grow a second ranker on some of the features; the served one is not touched."""
    ranker = copy.copy(pipeline.ranker)
    ranker.names = [pipeline.features.names[place] for place in columns]
    ranker.learning_rate = LEARNING_RATE
    train, valid = pipeline.training_set_, pipeline.valid_set_
    return ranker.fit(train.with_columns(columns), valid.with_columns(columns))
