"""Logistic regression on standardised features: the learned baseline.

Box "model", first of its kind: p = sigmoid(w . (x - mean) / std + b), L2-regularised, fitted by
scikit-learn's L-BFGS. Linear in every feature, so it finds amounts and terminal risk but no "high
for this customer" beyond the ratio that is given to it. Saved as plain numbers in JSON.

Shapes: `N` payments, `F` features.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Self

import numpy as np

from common.atomic import write_json
from patterns.fraud.stages.models.base import Examples


class LogisticModel:
    """Learned attributes: `mean_`, `std_`, `weights_` (F,) and `bias_`."""

    def __init__(self, *, inverse_regularization: float = 1.0, iterations: int = 200) -> None:
        """`inverse_regularization` is scikit-learn's C: larger fits closer."""
        self.inverse_regularization = inverse_regularization
        self.iterations = iterations

    def fit(
        self, train: Examples, valid: Examples | None = None, weights: np.ndarray | None = None
    ) -> Self:
        """Fit on features (N, F), labels (N,) and row weights (N,); `valid` is not needed."""
        from sklearn.linear_model import LogisticRegression

        features, labels = train
        self.mean_ = features.mean(0, dtype=np.float64)
        self.std_ = np.maximum(features.std(0, dtype=np.float64), 1e-9)
        model = LogisticRegression(C=self.inverse_regularization, max_iter=self.iterations)
        model.fit((features - self.mean_) / self.std_, labels, sample_weight=weights)
        self.weights_, self.bias_ = model.coef_[0], float(model.intercept_[0])
        return self

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Return the score of each row (N,), in (0, 1)."""
        margin = ((features - self.mean_) / self.std_) @ self.weights_ + self.bias_
        return 1 / (1 + np.exp(-np.clip(margin, -500, 500)))

    def contributions(self, features: np.ndarray) -> np.ndarray:
        """Return what each feature adds to the log-odds over those of the mean row (N, F)."""
        return (features - self.mean_) / self.std_ * self.weights_

    def save(self, folder: Path) -> None:
        """Write the coefficients as `logistic.json`."""
        learned = {
            "inverse_regularization": self.inverse_regularization,
            "iterations": self.iterations,
            "mean": self.mean_.tolist(),
            "std": self.std_.tolist(),
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
        )
        model.mean_, model.std_ = np.array(learned["mean"]), np.array(learned["std"])
        model.weights_, model.bias_ = np.array(learned["weights"]), learned["bias"]
        return model
