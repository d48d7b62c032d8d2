"""Gradient-boosted trees: the model that usually serves.

Box "model". A sum of shallow trees, each fitted to the gradient of the log loss of those before it:
thresholds and interactions ("high for this customer", "risky terminal and busy") cost it nothing,
and features need no scaling. Trees stop when average precision on validation stops rising.

Two defaults are not XGBoost's own. `bins=4096`: a terminal's fraud share is 0 for nearly all
payments, and 256 quantile bins are too coarse for the rest. `base_score=0.5`: starting at the share
of fraud, as recent releases do, fits worse. On 60 days of the handbook's payments the two take
average precision on validation from .765 to .780.

Explanations are exact: `contributions` gives TreeSHAP values, which add up, with a bias, to the
score's log-odds. A split on a category asks for one value, so a value that training did not see
goes with all the others, where splits by sets of values could send it anywhere; a missing number
goes to the side that fits better. Saved in XGBoost's own UBJSON. Source: Chen and Guestrin, KDD
2016; Lundberg et al., 2020.

Shapes: `N` payments, `F` features.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from common.atomic import write_json
from patterns.fraud.stages.models.base import Examples

MANY = 256
MOST_BINS = 120_000  # of all features: a histogram a node is memory and time
MOST_CODES = 1_000  # of a category, so that every split asks for one of them


class BoostedTrees:
    """Learned attributes: `booster_`, an `xgboost.Booster`, and `trees_`, how many it kept."""

    def __init__(
        self,
        *,
        trees: int = 300,
        depth: int = 6,
        learning_rate: float = 0.1,
        min_child_weight: float = 1.0,
        subsample: float = 0.8,
        feature_share: float = 0.8,
        bins: int = 4096,
        base_score: float = 0.5,
        patience: int = 30,
        threads: int = 0,
        codes: Sequence[int] = (),
        seed: int = 0,
    ) -> None:
        """`patience` counts trees without a better validation AP; `threads=0` takes all.

        `codes` are the positions of features that hold codes of categories.
        """
        self.trees, self.depth = trees, depth
        self.learning_rate = learning_rate
        self.min_child_weight = min_child_weight
        self.subsample, self.feature_share = subsample, feature_share
        self.bins, self.base_score = bins, base_score
        self.patience = patience
        self.threads = threads
        self.codes = list(codes)
        self.seed = seed

    def fit(
        self, train: Examples, valid: Examples | None = None, weights: np.ndarray | None = None
    ) -> Self:
        """Fit on features (N, F), labels and row weights (N,), stopping by `valid` if given."""
        import xgboost

        bins = {"max_bin": self.bins}
        kinds = self._kinds(train[0].shape[1])
        matrix = xgboost.QuantileDMatrix(train[0], label=train[1], weight=weights, **bins, **kinds)
        watched: list[tuple[Any, str]] = []
        if valid is not None and valid[1].any():
            held_out = xgboost.QuantileDMatrix(
                valid[0], label=valid[1], ref=matrix, **bins, **kinds
            )
            watched = [(held_out, "valid")]
        booster = xgboost.train(
            self._parameters() | bins,
            matrix,
            num_boost_round=self.trees,
            evals=watched,
            early_stopping_rounds=self.patience if watched else None,
            verbose_eval=False,
        )
        kept = booster.best_iteration + 1 if watched else self.trees
        return self._adopt(booster[:kept])

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Return the score of each row (N,), in (0, 1)."""
        return np.asarray(self.booster_.inplace_predict(features))

    def contributions(self, features: np.ndarray) -> np.ndarray:
        """Return what each feature adds to the log-odds (N, F)."""
        import xgboost

        threads = 1 if len(features) < MANY else None  # waking threads costs more than a few rows
        matrix = xgboost.DMatrix(features, nthread=threads, **self._kinds(features.shape[1]))
        return self.booster_.predict(matrix, pred_contribs=True)[:, :-1]

    def save(self, folder: Path) -> None:
        """Write the trees as `xgboost.ubj`, and the hyperparameters as `xgboost.json`."""
        self.booster_.save_model(folder / "xgboost.ubj")
        given = {name: value for name, value in vars(self).items() if not name.endswith("_")}
        write_json(folder / "xgboost.json", given)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        import xgboost

        given = json.loads((folder / "xgboost.json").read_text(encoding="utf-8"))

        # one thread: for a single payment, waking a second one costs more than it saves
        booster = xgboost.Booster({"nthread": 1})
        booster.load_model(folder / "xgboost.ubj")
        return cls(**given)._adopt(booster)

    def _kinds(self, features: int) -> dict[str, Any]:
        """Return what XGBoost must know of `features` columns of which some hold codes."""
        if not self.codes:
            return {}
        kinds = ["c" if place in self.codes else "q" for place in range(features)]
        return {"feature_types": kinds, "enable_categorical": True}

    def _parameters(self) -> dict[str, Any]:
        """Return the hyperparameters under XGBoost's names."""
        parameters = {
            "objective": "binary:logistic",
            "eval_metric": "aucpr",
            "tree_method": "hist",
            "max_depth": self.depth,
            "learning_rate": self.learning_rate,
            "min_child_weight": self.min_child_weight,
            "subsample": self.subsample,
            "colsample_bytree": self.feature_share,
            "base_score": self.base_score,
            "seed": self.seed,
        }
        if self.codes:
            parameters["max_cat_to_onehot"] = MOST_CODES
        return parameters | ({"nthread": self.threads} if self.threads else {})

    def _adopt(self, booster: Any) -> Self:
        self.booster_ = booster
        self.trees_ = booster.num_boosted_rounds()
        return self


def affordable_bins(wanted: int, *, features: int) -> int:
    """Return the bins a feature, at most `wanted`, that keep those of all under `MOST_BINS`."""
    return min(wanted, max(256, MOST_BINS // features))
