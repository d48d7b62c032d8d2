"""Logistic regression on standardised features: the learned baseline.

Box "model", first of its kind: p = sigmoid(w . (x - mean) / std + b), L2-regularised, fitted by
scikit-learn's L-BFGS. Linear in every feature, so it finds amounts and terminal risk but no "high
for this customer" beyond the ratio that is given to it. A category gets one weight for each of its
`LEVELS` most frequent values, a missing number counts as the mean and has a weight for being
missing. Saved as plain numbers in JSON.

Shapes: `N` payments, `F` features, `K` columns of the design: the features, then what is missing,
then the values of each category.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from common.atomic import write_json
from patterns.fraud.stages.models.base import Examples

LEVELS = 64  # of a category; the others share the weight of rare values


class LogisticModel:
    """Learned attributes: `mean_`, `std_` (F,), `missing_` (features), `weights_` (K,), `bias_`."""

    def __init__(
        self,
        *,
        inverse_regularization: float = 1.0,
        iterations: int = 200,
        codes: Sequence[int] = (),
    ) -> None:
        """`inverse_regularization` is scikit-learn's C: larger fits closer.

        `codes` are the positions of features that hold codes of categories.
        """
        self.inverse_regularization = inverse_regularization
        self.iterations = iterations
        self.codes = list(codes)

    def fit(
        self, train: Examples, valid: Examples | None = None, weights: np.ndarray | None = None
    ) -> Self:
        """Fit on features (N, F), labels (N,) and row weights (N,); `valid` is not needed."""
        from sklearn.linear_model import LogisticRegression

        features, labels = train
        holes = np.isnan(features)  # (N, F)
        self.missing_ = np.flatnonzero(holes.any(0)).tolist()
        known = np.ma.masked_array(features, holes) if self.missing_ else features
        self.mean_ = np.ma.filled(known.mean(0, dtype=np.float64), 0.0)
        self.std_ = np.maximum(np.ma.filled(known.std(0, dtype=np.float64), 1.0), 1e-9)
        self.mean_[self.codes], self.std_[self.codes] = 0.0, np.inf  # codes count by value alone
        model = LogisticRegression(C=self.inverse_regularization, max_iter=self.iterations)
        model.fit(self._design(features), labels, sample_weight=weights)
        self.weights_, self.bias_ = model.coef_[0], float(model.intercept_[0])
        return self

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Return the score of each row (N,), in (0, 1)."""
        margin = self._design(features) @ self.weights_ + self.bias_
        return 1 / (1 + np.exp(-np.clip(margin, -500, 500)))

    def contributions(self, features: np.ndarray) -> np.ndarray:
        """Return what each feature adds to the log-odds over those of the mean row (N, F)."""
        count = features.shape[1]
        added = self._standardised(features) * self.weights_[:count]
        rest = count + len(self.missing_)
        added[:, self.missing_] += np.isnan(features[:, self.missing_]) * self.weights_[count:rest]
        for place, column in enumerate(self.codes):
            levels = self.weights_[rest + place * (LEVELS + 1) :][: LEVELS + 1]
            added[:, column] += levels[_levels(features[:, column])]
        return added

    def _standardised(self, features: np.ndarray) -> np.ndarray:
        found = (features - self.mean_) / self.std_  # (N, F)
        return np.nan_to_num(found, copy=False, nan=0.0) if self.missing_ else found

    def _design(self, features: np.ndarray) -> Any:
        """Return what the weights are for, (N, K); sparse where there are categories."""
        parts = [self._standardised(features)]
        if self.missing_:
            parts.append(np.isnan(features[:, self.missing_]).astype(np.float64))
        dense = np.hstack(parts)
        if not self.codes:
            return dense
        from scipy import sparse

        rows, ones = np.arange(len(features)), np.ones(len(features))
        shape = (len(features), LEVELS + 1)
        levels = [
            sparse.csr_array((ones, (rows, _levels(features[:, column]))), shape=shape)
            for column in self.codes
        ]
        return sparse.hstack([sparse.csr_array(dense), *levels], format="csr")

    def save(self, folder: Path) -> None:
        """Write the coefficients as `logistic.json`."""
        learned = {
            "inverse_regularization": self.inverse_regularization,
            "iterations": self.iterations,
            "codes": self.codes,
            "mean": self.mean_.tolist(),
            "std": [None if np.isinf(each) else each for each in self.std_.tolist()],
            "missing": self.missing_,
            "weights": self.weights_.tolist(),
            "bias": self.bias_,
        }
        write_json(folder / "logistic.json", learned)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        learned = json.loads((folder / "logistic.json").read_text(encoding="utf-8"))
        model = cls(
            inverse_regularization=learned["inverse_regularization"],
            iterations=learned["iterations"],
            codes=learned["codes"],
        )
        model.mean_ = np.array(learned["mean"])
        model.std_ = np.array([np.inf if each is None else each for each in learned["std"]])
        model.missing_ = learned["missing"]
        model.weights_, model.bias_ = np.array(learned["weights"]), learned["bias"]
        return model


def _levels(codes: np.ndarray) -> np.ndarray:
    """Return codes (N,) as integers; those beyond `LEVELS` become 0, as rare values are."""
    return np.where(codes <= LEVELS, codes, 0).astype(np.int64)
