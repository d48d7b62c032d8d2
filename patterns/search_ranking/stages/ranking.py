"""Ranking, box 3: gradient-boosted trees that learn the order of a list, LambdaMART.

Trees are grown on the gradient of a pairwise loss, each pair weighted by how much NDCG would change
if its two documents changed places (Burges 2010, "From RankNet to LambdaRank to LambdaMART"):

    λ_ij = σ / (1 + exp(σ (s_i - s_j))) · |ΔNDCG_ij|        for label_i > label_j

So the top of the list, which people look at, gets the work. LightGBM grows the trees; their number
is chosen on the validation queries by NDCG@10. `deterministic` and row-wise histograms make two
runs on one machine equal to the bit. What differs from the paper: leaves instead of levels decide a
tree's size, and LightGBM normalises λ per query, so that long lists do not outweigh short ones.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from common.atomic import write_json
from patterns.search_ranking.entities.queries import GAIN
from patterns.search_ranking.stages.training_set import RankingSet

# Shapes: P pairs of a query and a document, F features

SMALL = 20_000  # rows


class LambdaMart:
    """LightGBM's lambdarank over given feature rows."""

    def __init__(
        self,
        *,
        names: Sequence[str],
        trees: int = 600,
        leaves: int = 31,
        learning_rate: float = 0.06,
        min_leaf_rows: int = 40,
        feature_share: float = 0.7,
        patience: int = 60,
        cutoff: int = 10,
        threads: int = 0,
        seed: int = 0,
    ) -> None:
        self.names = list(names)
        self.trees, self.leaves, self.learning_rate = trees, leaves, learning_rate
        self.min_leaf_rows, self.feature_share = min_leaf_rows, feature_share
        self.patience, self.cutoff, self.threads, self.seed = patience, cutoff, threads, seed

    def fit(self, train: RankingSet, valid: RankingSet) -> Self:
        """Grow at most `trees` on `train` and keep the number that orders `valid` best."""
        import lightgbm

        history: dict[str, Any] = {}
        self.booster_ = lightgbm.train(
            self._parameters(train, top_grade=int(max(train.labels.max(), valid.labels.max(), 1))),
            self._dataset(train),
            num_boost_round=self.trees,
            valid_sets=[self._dataset(valid)],
            valid_names=["valid"],
            callbacks=[
                lightgbm.early_stopping(self.patience, verbose=False),
                lightgbm.record_evaluation(history),
            ],
        )
        self.trees_ = self.booster_.best_iteration
        self.valid_ndcg_ = float(max(history["valid"][f"ndcg@{self.cutoff}"]))
        return self

    def _parameters(self, train: RankingSet, *, top_grade: int) -> dict[str, Any]:
        return {
            "objective": "lambdarank",
            "metric": "ndcg",
            "eval_at": [self.cutoff],
            "label_gain": _gains(top_grade),
            "learning_rate": self.learning_rate,
            "num_leaves": self.leaves,
            "min_data_in_leaf": self.min_leaf_rows,
            "feature_fraction": self.feature_share,
            "lambdarank_truncation_level": self.cutoff + 5,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": _threads(len(train.features), self.threads),
            "seed": self.seed,
            "verbosity": -1,
        }

    def _dataset(self, rows: RankingSet) -> Any:
        import lightgbm

        return lightgbm.Dataset(
            rows.features,
            label=rows.labels,
            group=rows.groups,
            free_raw_data=False,
        )

    def score(self, features: np.ndarray) -> np.ndarray:
        """Score any block of rows: (…, F) -> (…,) float32; higher is better."""
        rows = features.reshape(-1, features.shape[-1])
        if not len(rows):
            return np.zeros(features.shape[:-1], np.float32)
        threads = _threads(len(rows), self.threads)
        scores = self.booster_.predict(rows, num_iteration=self.trees_, num_threads=threads)
        return np.asarray(scores, np.float32).reshape(features.shape[:-1])

    def contributions(self, features: np.ndarray) -> np.ndarray:
        """Return what each feature added to the score of each row (SHAP), (P, F)."""
        if not len(features):
            return np.zeros(features.shape)
        values = self.booster_.predict(
            features, num_iteration=self.trees_, pred_contrib=True, num_threads=1
        )
        return np.asarray(values)[:, :-1]  # the last column is the expected score

    def importance(self) -> dict[str, float]:
        """Return the share of the loss that the splits on each feature took away, largest first."""
        gain = self.booster_.feature_importance("gain", iteration=self.trees_)
        share = gain / max(gain.sum(), 1e-12)
        order = np.argsort(-share, kind="stable")
        return {self.names[place]: float(share[place]) for place in order}

    def save(self, folder: Path) -> None:
        """Write the trees in LightGBM's own text format, and the names, which may hold any sign."""
        write_json(folder / "names.json", self.names)
        self.booster_.save_model(folder / "lambdamart.txt", num_iteration=self.trees_)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        import lightgbm

        booster = lightgbm.Booster(model_file=str(folder / "lambdamart.txt"))
        ranker = cls(names=json.loads((folder / "names.json").read_text(encoding="utf-8")))
        ranker.booster_, ranker.trees_ = booster, booster.num_trees()
        return ranker


def _gains(top_grade: int) -> list[float]:
    """Return what each grade is worth, as the metrics have it."""
    grades = np.arange(top_grade + 1.0)
    return (grades if GAIN == "linear" else np.exp2(grades) - 1).tolist()


def _threads(rows: int, wanted: int) -> int:
    """Return one thread for few rows: waking others costs more than they save; 0 is all cores."""
    return 1 if rows < SMALL else wanted
