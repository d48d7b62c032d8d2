"""What the ranker learns from: the judged documents, and some that nobody judged.

Nearly all judged documents share words with their query; candidates of the dense list may not, and
a ranker that never saw such a document cannot have learned where it belongs. So a few unjudged
candidates a query join the training set as not relevant. Most of them are, since a query has few
relevant documents.

LightGBM takes `MOST` rows a query; of a query with more, judgments of grade 0 are sampled.

Shapes: B queries, K candidates, M judged documents a query, P pairs in all, F features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from common.retrieval import MISSING
from patterns.search_ranking.entities.queries import JudgedQueries, Queries
from patterns.search_ranking.stages.candidates.sources import BLOCK
from patterns.search_ranking.stages.features import Features

MOST = 10_000
CUT_NOTICE = (
    "{:,} queries have more judgments than the 10,000 rows that LightGBM takes: for the ranker"
    " those of grade 0 were sampled."
)


@dataclass(frozen=True)
class RankingSet:
    """Feature rows of all queries, one query's after the other's."""

    features: np.ndarray  # (P, F) float32
    labels: np.ndarray  # (P,) int, 0 = not relevant
    groups: np.ndarray  # (B,) rows of each query, adding up to P

    def __post_init__(self) -> None:
        assert len(self.features) == len(self.labels) == self.groups.sum()

    @classmethod
    def of(cls, features: np.ndarray, grades: np.ndarray, rows: np.ndarray) -> Self:
        """Flatten blocks (B, M, F), (B, M) and (B, M), leaving out the padding of `rows`."""
        kept = rows != MISSING
        return cls(features[kept], grades[kept].astype(np.int64), kept.sum(axis=1))

    @classmethod
    def joined(cls, parts: Sequence[RankingSet]) -> RankingSet:
        """Put the queries of several sets one behind the other."""
        return cls(
            np.concatenate([part.features for part in parts]),
            np.concatenate([part.labels for part in parts]),
            np.concatenate([part.groups for part in parts]),
        )

    def with_columns(self, columns: Sequence[int]) -> RankingSet:
        """Return the same rows with some of the features."""
        return RankingSet(self.features[:, list(columns)], self.labels, self.groups)

    def sample(self, most: int, seed: int) -> np.ndarray:
        """Return the features of at most so many of the rows, in their order."""
        drawn = np.random.default_rng(seed).permutation(len(self.features))[:most]
        return self.features[np.sort(drawn)]


def within_limit(
    parts: Sequence[JudgedQueries], *, room: int, seed: int
) -> tuple[list[JudgedQueries], list[str]]:
    """Sample each part down to what LightGBM takes, less `room` for further rows of each query.

    Returns the parts, and a notice if any query was cut.
    """
    fitting, cuts = zip(*(at_most(part, MOST - room, seed=seed) for part in parts), strict=True)
    return list(fitting), [CUT_NOTICE.format(sum(cuts))] if sum(cuts) else []


def at_most(judged: JudgedQueries, most: int, *, seed: int) -> tuple[JudgedQueries, int]:
    """Sample the judgments of longer queries down to `most`, the higher grades first.

    Returns the queries, none of them wider, and how many were cut.
    """
    counts = (judged.rows != MISSING).sum(axis=1)
    longer = np.flatnonzero(counts > most)
    if not len(longer):
        return judged, 0
    rng = np.random.default_rng(seed)
    rows, grades = judged.rows.copy(), judged.grades.copy()
    for query in longer:
        order = rng.permutation(counts[query])
        order = order[np.argsort(-grades[query, order], kind="stable")][:most]
        order.sort()
        rows[query, :most], rows[query, most:] = rows[query, order], MISSING
        grades[query, :most], grades[query, most:] = grades[query, order], 0
    return replace(judged, rows=rows[:, :most], grades=grades[:, :most]), len(longer)


def with_unjudged(
    judged: JudgedQueries, candidates: np.ndarray, *, count: int, seed: int
) -> JudgedQueries:
    """Add up to `count` of the unjudged `candidates` (B, K) to each query, with grade 0."""
    rng = np.random.default_rng(seed)
    drawn = np.full((len(judged), count), MISSING, np.int64)
    for query, found in enumerate(candidates):
        free = found[(found != MISSING) & ~np.isin(found, judged.rows[query])]
        chosen = rng.permutation(free)[:count]
        drawn[query, : len(chosen)] = chosen
    rows = np.hstack([judged.rows, drawn])  # (B, M + count), -1 padded
    grades = np.hstack([judged.grades, np.zeros_like(drawn, dtype=np.int8)])
    return replace(judged, rows=rows, grades=grades)


def described(judged: JudgedQueries, queries: Queries, features: Features) -> RankingSet:
    """Compute the features of the judged documents, in blocks as wide as their longest list."""
    parts = []
    for members in queries.blocks(BLOCK):
        block, part = queries.part(members), judged.part(members).narrow()
        values = features.transform(block.texts, block.vectors, part.rows)
        parts.append(RankingSet.of(values, part.grades, part.rows))
    return RankingSet.joined(parts)
