"""What the ranker learns from: the judged documents, and some that nobody judged.

Judged documents alone all share words with their query; candidates of the dense list do not, and a
ranker that never saw such a document orders it badly. So a few unjudged candidates a query join the
training set as not relevant. Most of them are, since a query has few relevant documents.

Shapes: B queries, K candidates, M judged documents a query, P pairs in all, F features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from common.retrieval import MISSING
from patterns.search_ranking.entities.queries import JudgedQueries


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

    def with_columns(self, columns: Sequence[int]) -> RankingSet:
        """Return the same rows with some of the features."""
        return RankingSet(self.features[:, list(columns)], self.labels, self.groups)


def with_unjudged(
    judged: JudgedQueries, candidates: np.ndarray, *, count: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Add up to `count` of the unjudged `candidates` (B, K) to the judged rows, with grade 0.

    Returns rows, -1 padded, and grades, both (B, M + count).
    """
    rng = np.random.default_rng(seed)
    drawn = np.full((len(judged), count), MISSING, np.int64)
    for query, found in enumerate(candidates):
        free = found[(found != MISSING) & ~np.isin(found, judged.rows[query])]
        chosen = rng.permutation(free)[:count]
        drawn[query, : len(chosen)] = chosen
    grades = np.hstack([judged.grades, np.zeros_like(drawn, dtype=np.int8)])
    return np.hstack([judged.rows, drawn]), grades
