"""Which list orders the page: BM25's, the dense one, their merge, or the ranker's.

A ranker orders the merged candidates. With few judgments, or with judgments of relevant documents
alone, it often loses to the list that it reorders, so all lists are compared end to end, the whole
corpus searched, and the one that validation prefers is served. Where that is the list of one
source, the documents of the other follow it, to fill a long page.

Shapes: B queries, K candidates, N documents.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import numpy as np

from common.preference import preferred
from common.retrieval import Candidates, Fused, ordered
from common.retrieval.hybrid import Hybrid
from patterns.search_ranking.entities.queries import JudgedQueries, Queries
from patterns.search_ranking.stages.candidates.sources import (
    ALONE,
    BLOCK,
    BY_FIELD,
    DENSE,
    HYBRID,
    Sources,
)
from patterns.search_ranking.stages.features import Features
from patterns.search_ranking.stages.ranking import LambdaMart

DEPTH, PAGE = 100, 10  # of the lists that are compared, and of a page
RANKED = "+ ranking"


class Lists:
    """The lists of fitted stages: asked for, compared, and one of them served."""

    def __init__(
        self,
        *,
        sources: Sources,
        hybrid: Hybrid,
        features: Features,
        ranker: LambdaMart,
        per_source: int = 200,
        keep: int = 100,
        served: str = RANKED,
    ) -> None:
        self.sources, self.hybrid = sources, hybrid
        self.features, self.ranker = features, ranker
        self.per_source, self.keep = per_source, keep
        self.served_ = served  # `fit` chooses it anew

    def fit(self, lists: Mapping[str, Candidates], judged: JudgedQueries) -> Self:
        """Choose what orders the page by the NDCG@10 of `lists`, ties to the simpler one.

        All values stay in `valid_ndcgs_`; `notices_` says so where the ranker is not served.
        """
        self.valid_ndcgs_ = {name: judged.mean_ndcg(found, PAGE) for name, found in lists.items()}
        self.served_, said = preferred(
            self.valid_ndcgs_,
            RANKED,
            measure="NDCG@10 on validation",
            told="Pages are ordered by {served}, not by the ranker",
        )
        self.notices_ = [said] if said else []
        return self

    def every(self, queries: Queries) -> dict[str, Candidates]:
        """Return the lists that may order a page, the simplest first, `DEPTH` or `keep` long."""
        lexical, nearest = self.sources.retrieve(queries, self.per_source)
        merged = self.hybrid.merge(lexical, nearest, max(DEPTH, self.keep)).candidates
        return {
            BY_FIELD: lexical.head(DEPTH),
            DENSE: nearest.head(DEPTH),
            HYBRID: merged,
            RANKED: self.rank(queries, merged.head(self.keep)),
        }

    def retrieve(
        self,
        queries: Queries,
        k: int | None = None,
        allowed: np.ndarray | None = None,
        *,
        merge: Hybrid | None = None,
    ) -> Fused:
        """Return merged candidates, `keep` or, where more are asked for, k of them."""
        keep = max(self.keep, k or 0)
        depth = max(self.per_source, keep)
        lexical, nearest = self.sources.retrieve(queries, depth, allowed=allowed)
        return (merge or self.hybrid).merge(lexical, nearest, keep)

    def rank(self, queries: Queries, candidates: Candidates) -> Candidates:
        """Order candidates by the ranker, in blocks of queries."""
        parts = []
        for block in queries.blocks(BLOCK):
            part, rows = queries.part(block), candidates.item_ids[block]
            scores = self.ranker.score(self.features.transform(part.texts, part.vectors, rows))
            parts.append(ordered(rows, scores))
        return Candidates.concatenate(parts, width=candidates.item_ids.shape[1])

    def found(self, queries: Queries, k: int, allowed: np.ndarray | None = None) -> Fused:
        """Return the candidates of a page, ordered as served where that is not by the ranker.

        `allowed` (N,) tells which documents may be found.
        """
        return self.retrieve(queries, k, allowed, merge=ALONE.get(self.served_))

    def order(self, queries: Queries, candidates: Candidates) -> Candidates:
        """Order the candidates of a page: by the ranker, or as they come where it is not served."""
        return self.rank(queries, candidates) if self.served_ == RANKED else candidates
