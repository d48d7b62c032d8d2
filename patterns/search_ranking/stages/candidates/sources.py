"""Both sources of candidates, asked together: BM25's list and the dense one.

Queries are scored in blocks, since BM25 scores every document. A query that is itself a document of
the corpus must not find itself: that document is left out of its lists.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from common.retrieval import Candidates
from common.retrieval.bm25 import BM25
from common.retrieval.dense import Dense
from common.retrieval.hybrid import Hybrid
from patterns.search_ranking.entities.documents import ALL, Schema
from patterns.search_ranking.entities.queries import JudgedQueries, Queries, without_own

# Shapes: B queries, N documents, K candidates

CELLS = 50_000_000  # queries x documents scored at a time, to bound the memory
BLOCK = 256  # queries at a time, at most
CUTOFF = 10  # of the NDCG by which BM25 is set up
CONSTANTS = ((1.2, 0.75), (0.9, 0.4), (1.5, 0.9), (2.0, 0.75))  # k1 and b
MIXES: tuple[dict[str, float], ...] = (
    {ALL: 1.0},
    {"title": 0.3, ALL: 1.0},
    {"title": 1.0, ALL: 1.0},
    {"title": 0.5, "text": 1.0},
    {"title": 1.0, "text": 1.0},
)
BY_FIELD, DENSE, HYBRID = "BM25, by field", "dense", "hybrid"
# merges that keep the order of one list; the documents of the other follow, to fill a long page
ALONE = {BY_FIELD: Hybrid(lexical_weight=1 - 1e-9), DENSE: Hybrid(lexical_weight=1e-9)}


def choices_of(
    schema: Schema,
    *,
    k1: float | None = None,
    b: float | None = None,
    weights: Mapping[str, float] | None = None,
) -> tuple[list[tuple[float, float]], list[dict[str, float]]]:
    """Return the pairs of k1 and b, and the field weights of BM25, to choose from.

    What is given is settled. Films have settled constants, and need weights for their fields.
    Texts beyond title and text are tried with the same weight as these, too.
    """
    pairs = CONSTANTS[:1] if schema.films else CONSTANTS
    constants = [(k if k1 is None else k1, own if b is None else b) for k, own in pairs]
    further = [dict.fromkeys(schema.texts, 1.0)] if len(schema.texts) > 2 else []
    mixes = [weights] if weights else [*MIXES, *further]
    return list(dict.fromkeys(constants)), [dict(mix) for mix in mixes]


class Sources:
    """BM25 and dense retrieval of the same documents."""

    def __init__(
        self,
        *,
        bm25: BM25,
        dense: Dense,
        constants: Sequence[tuple[float, float]] = (),
        mixes: Sequence[Mapping[str, float]] = (),
    ) -> None:
        self.bm25, self.dense = bm25, dense
        self.constants, self.mixes = constants, mixes  # of BM25, to choose from

    def fit(self, judged: JudgedQueries, *, seed: int) -> Sources:
        """Choose k1, b and field weights of the fitted BM25 by NDCG on a sample of the queries.

        Given weights are kept, and it is told in `notices_` if all fields as one text do better.
        """
        self.notices_: list[str] = []
        if len(self.constants) * len(self.mixes) < 2:
            return self
        most = max(100, min(1000, 2 * CELLS // max(1, self.bm25.count)))
        asked = judged.sample(most, seed)

        def ndcg_of(_: BM25) -> float:
            found = without_own(self.lexical(asked.texts, CUTOFF + 1), asked.own, CUTOFF)
            return asked.mean_ndcg(found, CUTOFF)

        self.bm25.choose(ndcg_of, constants=self.constants, mixes=self.mixes)
        whole = self.lexical(asked.texts, CUTOFF + 1, weights={ALL: 1.0})
        best = asked.mean_ndcg(without_own(whole, asked.own, CUTOFF), CUTOFF)
        if best > self.bm25.chosen_ndcg_ + 0.005:
            self.notices_ = [
                f"The given weights cost BM25 NDCG@{CUTOFF} on all but test queries:"
                f" {self.bm25.chosen_ndcg_:.4f}, and {best:.4f} with all fields as one text. Name"
                " the fields without weights to have them chosen."
            ]
        return self

    def lexical(
        self,
        texts: Sequence[str],
        k: int,
        *,
        weights: Mapping[str, float] | None = None,
        allowed: np.ndarray | None = None,
    ) -> Candidates:
        """Return BM25's lists, (B, k)."""
        size = max(1, min(BLOCK, CELLS // max(1, self.bm25.count)))
        found = [
            self.bm25.retrieve(texts[at : at + size], k, weights=weights, allowed=allowed)
            for at in range(0, len(texts), size)
        ]
        return Candidates.concatenate(found, width=min(k, self.bm25.count))

    def whole_text(self, queries: Queries, k: int) -> Candidates:
        """Return the lists of the baseline: BM25 over all fields as one text."""
        return without_own(self.lexical(queries.texts, k + 1, weights={ALL: 1.0}), queries.own, k)

    def retrieve(
        self, queries: Queries, k: int, *, allowed: np.ndarray | None = None
    ) -> tuple[Candidates, Candidates]:
        """Return the lexical and the dense lists, (B, k) each."""
        k = min(k, self.bm25.count)
        more = k + int((queries.own >= 0).any())
        lexical = self.lexical(queries.texts, more, allowed=allowed)
        nearest = self.dense.retrieve(queries.vectors, more, allowed=allowed)
        return without_own(lexical, queries.own, k), without_own(nearest, queries.own, k)
