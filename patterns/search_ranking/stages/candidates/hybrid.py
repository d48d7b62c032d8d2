"""Candidates, box 1c: the lexical and the dense list merged into one, by rank.

The two scores share no scale (BM25 grows with the query, a cosine ends at 1), so the lists are
merged by rank alone, reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009):

    score(d) = w / (c + rank_lexical(d)) + (1 - w) / (c + rank_dense(d))

A large constant c lets many middling ranks outweigh one top rank; the paper takes 60 and w = ½.
Here both are chosen on the validation queries, by Recall@k, in `fit`: where the lexical list is
the stronger one, an even vote would throw good documents out. Ties in recall go to the paper's
values first. The merged list keeps, per document, its rank in each source: the answer's provenance.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Self

import numpy as np

from common.atomic import write_json
from common.evaluation.ranking import recall
from common.retrieval import Candidates, Fused, reciprocal_rank_fusion

# Shapes: B queries, K candidates

CONSTANTS = (60.0, 30.0, 10.0, 100.0)
LEXICAL_WEIGHTS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.4)


class Hybrid:
    """Weighted reciprocal rank fusion of two lists; `fit` chooses both hyperparameters anew."""

    def __init__(self, *, constant: float = 60.0, lexical_weight: float = 0.5) -> None:
        self.constant_, self.lexical_weight_ = constant, lexical_weight

    def fit(
        self, lexical: Candidates, dense: Candidates, relevant: Sequence[np.ndarray], k: int
    ) -> Self:
        """Choose constant and weight by mean Recall@k against the `relevant` rows of each query.

        The recall of the choice stands in `valid_recall_`.
        """
        self.valid_recall_ = -1.0
        for constant, weight in product(CONSTANTS, LEXICAL_WEIGHTS):
            tried = Hybrid(constant=constant, lexical_weight=weight)
            found = tried.merge(lexical, dense, k).candidates
            value = float(recall_of(found, relevant, k).mean())
            if value > self.valid_recall_ + 1e-9:
                self.valid_recall_ = value
                self.constant_, self.lexical_weight_ = constant, weight
        return self

    def merge(self, lexical: Candidates, dense: Candidates, k: int) -> Fused:
        """Return the best `k` of both lists, of equal `B`; list 0 is the lexical, 1 the dense."""
        return reciprocal_rank_fusion(
            [lexical, dense],
            k=k,
            constant=self.constant_,
            weights=(self.lexical_weight_, 1 - self.lexical_weight_),
        )

    def save(self, folder: Path) -> None:
        """Write what was chosen as JSON."""
        chosen = {"constant": self.constant_, "lexical_weight": self.lexical_weight_}
        write_json(folder / "hybrid.json", chosen)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        return cls(**json.loads((folder / "hybrid.json").read_text(encoding="utf-8")))


def recall_of(candidates: Candidates, relevant: Sequence[np.ndarray], k: int) -> np.ndarray:
    """Return Recall@k of each query, (B,): the share of its relevant rows among the first k."""
    hits = np.zeros(candidates.item_ids.shape, np.float32)
    for row, wanted in enumerate(relevant):
        hits[row] = np.isin(candidates.item_ids[row], wanted)
    return recall(hits, np.array([len(wanted) for wanted in relevant]), k)
