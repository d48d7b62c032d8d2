"""LambdaMART: trees whose gradients are weighted by what swapping two items does to NDCG.

Needs no scaling, takes missing values, trains in seconds on a few hundred thousand rows: the
ranker to beat. It learns from all positives and a share of the rest. One group is one request, and
NDCG@10 of groups stops it, so it is made for lists, not for tables of single rows. The gain of an
item in NDCG is the objective: 1 for a click; for watch time and ratings clicked items fall into
four grades at the quartiles of their value, and a grade gains its items' mean value.

Source: Burges, From RankNet to LambdaRank to LambdaMART, MSR-TR-2010-82, as LightGBM has it.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from patterns.recsys.stages.ranking.examples import Examples, Rows
from patterns.recsys.stages.ranking.objectives import Objective, Worth

GRADES = 4  # of clicked items; grade 0 is not clicked


class LightGBMRanker:
    """Gradient-boosted trees on the lambdarank objective."""

    name = "lightgbm"
    keeps_checkpoints = False  # seconds

    def __init__(
        self,
        *,
        objective: Objective = "ctr",
        trees: int = 300,
        leaves: int = 15,
        learning_rate: float = 0.05,
        min_leaf_rows: int = 50,
        patience: int = 30,
        negative_share: float = 0.125,
        seed: int = 0,
    ) -> None:
        self.objective: Objective = objective
        self.trees = trees
        self.leaves = leaves
        self.learning_rate = learning_rate
        self.min_leaf_rows = min_leaf_rows
        self.patience = patience
        self.negative_share = negative_share
        self.seed = seed
        self.booster_: Any = None

    def fit(
        self, examples: Examples, valid: Examples | None = None, *, length: int | None = None
    ) -> LightGBMRanker:
        """Boost `length` trees, or until NDCG@10 on `valid` has not improved for `patience`.

        Raises `ValueError` where the objective needs values and `examples` have none, and where
        no list has two rows to put in order.
        """
        import lightgbm

        if examples.real.sum(axis=1).max(initial=0) < 2:
            raise ValueError(
                "examples: LambdaMART learns which of two rows of a list comes first, and no list"
                " has two; group rows into lists, or take WideDeep, DeepFM or XDeepFM"
            )

        grades = _Grades(self.objective, examples.flat())
        stop = lightgbm.early_stopping(self.patience, verbose=False)
        self.booster_ = lightgbm.train(
            {
                "objective": "lambdarank",
                "metric": "ndcg",
                "eval_at": [10],
                "num_leaves": self.leaves,
                "learning_rate": self.learning_rate,
                "min_data_in_leaf": self.min_leaf_rows,
                "feature_fraction": 0.7,
                "bagging_fraction": 0.8,
                "bagging_freq": 1,
                "deterministic": True,
                "force_row_wise": True,
                "seed": self.seed,
                "verbosity": -1,
                "label_gain": grades.gains,
            },
            _grouped(examples.thinned(self.negative_share, self.seed), grades),
            num_boost_round=length or self.trees,
            valid_sets=[_grouped(valid, grades)] if valid else None,
            callbacks=[stop] if valid else None,
        )
        self.length_ = self.booster_.best_iteration if valid else length or self.trees
        return self

    def score(
        self, features: np.ndarray, codes: np.ndarray, real: np.ndarray | None = None
    ) -> np.ndarray:
        """Score features (B, K, F): (B, K), -inf where not `real`; the codes say nothing here."""
        shape = features.shape[:2]
        if not math.prod(shape):
            return np.zeros(shape, dtype=np.float32)
        flat = features.reshape(-1, features.shape[-1])
        threads = 1 if len(flat) < 5_000 else 0  # a pool costs one request more than it gives
        scores = self.booster_.predict(flat, num_threads=threads).reshape(shape)
        return (scores if real is None else np.where(real, scores, -np.inf)).astype(np.float32)

    def importance(self) -> np.ndarray:
        """Return the total gain of each feature (F,)."""
        return np.asarray(self.booster_.feature_importance("gain"))

    def save(self, folder: Path) -> None:
        """Write LightGBM's own text format."""
        self.booster_.save_model(folder / "ranker.txt", num_iteration=self.length_)

    @classmethod
    def load(cls, folder: Path) -> LightGBMRanker:
        """Read what `save` wrote."""
        import lightgbm

        ranker = cls()
        ranker.booster_ = lightgbm.Booster(model_file=folder / "ranker.txt")
        ranker.length_ = ranker.booster_.num_trees()
        return ranker


class _Grades:
    """Whole-number labels of examples, and what each gains; from training rows."""

    def __init__(self, objective: Objective, rows: Rows) -> None:
        self.worth = Worth.learn(objective, rows)
        worth = self.worth.of(rows.labels, rows.values)
        clicked = worth[rows.labels > 0]
        self.edges = np.zeros(0)  # one grade, for clicks
        if objective != "ctr":
            self.edges = np.quantile(clicked, np.arange(1, GRADES) / GRADES)
        grade = self.of(rows)
        count = np.bincount(grade, minlength=GRADES + 1)
        mean = np.bincount(grade, weights=worth, minlength=GRADES + 1) / np.maximum(count, 1)
        self.gains = (np.maximum.accumulate(mean) / max(mean.max(), 1e-9)).tolist()

    def of(self, rows: Rows) -> np.ndarray:
        """Return the grade of each row, 0 where it was not clicked."""
        worth = self.worth.of(rows.labels, rows.values)
        return np.where(rows.labels > 0, 1 + np.searchsorted(self.edges, worth), 0)


def _grouped(examples: Examples, grades: _Grades) -> Any:
    import lightgbm

    rows = examples.flat()
    sizes = examples.real.sum(axis=1)
    groups = sizes[sizes > 0]
    return lightgbm.Dataset(rows.features, grades.of(rows), group=groups, free_raw_data=False)
