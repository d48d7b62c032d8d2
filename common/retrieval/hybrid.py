"""The lexical and the dense list of candidates merged into one, by rank or by scaled scores.

The two scores share no scale (BM25 grows with the query, a cosine ends at 1), so the lists are
merged by rank, reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009):

    score(d) = w / (c + rank_lexical(d)) + (1 - w) / (c + rank_dense(d))

A large constant c lets many middling ranks outweigh one top rank; the paper takes 60 and w = ½.
Here both are chosen in `fit`: by Recall@k where a ranker orders the list afterwards, by NDCG@10
where the list may be the page. Where one source is the stronger one, an even vote would throw good
documents out. Ties go to the paper's values first. By NDCG@10, a sum of the scores, each scaled to
0 … 1 within its list, is tried too (Bruch, Gai and Ingber, TOIS 2023): it keeps how far apart two
documents are, which ranks forget. The merged list keeps the rank of each document in each source.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Self

from common.atomic import write_json
from common.retrieval.candidates import Candidates
from common.retrieval.fusion import Fused, reciprocal_rank_fusion, scaled_score_fusion

# Shapes: B queries, K candidates

CONSTANTS = (60.0, 30.0, 10.0, 100.0)
LEXICAL_WEIGHTS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.4)
SCALED_WEIGHTS = (0.5, 0.4, 0.6, 0.3, 0.7, 0.8)


class Hybrid:
    """Weighted fusion of two lists, by rank or, with a constant of None, by scaled scores.

    `fit` chooses both hyperparameters anew.
    """

    def __init__(self, *, constant: float | None = 60.0, lexical_weight: float = 0.5) -> None:
        self.constant_, self.lexical_weight_ = constant, lexical_weight

    def fit(
        self,
        lexical: Candidates,
        dense: Candidates,
        quality_of: Callable[[Candidates], float],
        k: int,
        *,
        scaled: bool = False,
    ) -> Self:
        """Choose constant and weight by the `quality_of` the best k; with `scaled`, scores too.

        The quality of the choice stands in `valid_quality_`.
        """
        tried: list[tuple[float | None, float]] = list(product(CONSTANTS, LEXICAL_WEIGHTS))
        tried += [(None, weight) for weight in SCALED_WEIGHTS] if scaled else []
        self.valid_quality_ = -1.0
        for constant, weight in tried:
            hybrid = Hybrid(constant=constant, lexical_weight=weight)
            value = quality_of(hybrid.merge(lexical, dense, k).candidates)
            if value > self.valid_quality_ + 1e-9:
                self.valid_quality_ = value
                self.constant_, self.lexical_weight_ = constant, weight
        return self

    def merge(self, lexical: Candidates, dense: Candidates, k: int) -> Fused:
        """Return the best `k` of both lists, of equal `B`; list 0 is the lexical, 1 the dense."""
        lists, weights = (lexical, dense), (self.lexical_weight_, 1 - self.lexical_weight_)
        if self.constant_ is None:
            return scaled_score_fusion(lists, k=k, weights=weights)
        return reciprocal_rank_fusion(lists, k=k, constant=self.constant_, weights=weights)

    def save(self, folder: Path) -> None:
        """Write what was chosen as JSON."""
        chosen = {"constant": self.constant_, "lexical_weight": self.lexical_weight_}
        write_json(folder / "hybrid.json", chosen)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        return cls(**json.loads((folder / "hybrid.json").read_text(encoding="utf-8")))
