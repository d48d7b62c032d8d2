"""Making a score a probability: of the payments scored 0.3, three in ten should be fraud.

Box "calibration". Costs are weighed with probabilities, and rebalancing or early stopping leave
scores that are ordered well but too high or too low. Fitted on validation, never on training rows:

    platt       sigmoid(a logit(s) + b): two numbers, keeps the order of the payments
    isotonic    the nondecreasing step function of least squared error: any shape, but payments
                on one step become ties, which costs a little average precision

Source: Platt, 1999; Zadrozny and Elkan, KDD 2002. Saved as two short arrays in JSON.

Shapes: `N` payments.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Self

import numpy as np

from common.atomic import write_json

KINDS = ("platt", "isotonic", "none")
EPSILON = 1e-7


class Calibration:
    """A nondecreasing map from scores to probabilities."""

    def __init__(self, *, kind: str = "platt") -> None:
        """`kind` is one of `KINDS`."""
        assert kind in KINDS, kind
        self.kind = kind

    def fit(
        self, scores: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None
    ) -> Self:
        """Fit on validation scores and labels (N,); one class alone leaves scores as they are.

        `weights` (N,) say how many payments each stands for.
        """
        self.x_, self.y_ = np.array([0.0, 1.0]), np.array([0.0, 1.0])
        self.kind_ = self.kind if len(np.unique(labels)) > 1 else "none"
        if self.kind_ == "platt":
            self.y_ = _platt(_logit(scores), labels, weights)
        elif self.kind_ == "isotonic":
            from sklearn.isotonic import IsotonicRegression

            fitted = IsotonicRegression(out_of_bounds="clip").fit(scores, labels, weights)
            self.x_, self.y_ = fitted.X_thresholds_, fitted.y_thresholds_
        return self

    def transform(self, scores: np.ndarray) -> np.ndarray:
        """Return the probabilities (N,) of scores (N,)."""
        if self.kind_ == "none":
            return scores
        if self.kind_ == "platt":
            slope, intercept = self.y_
            return 1 / (1 + np.exp(-(slope * _logit(scores) + intercept)))
        return np.interp(scores, self.x_, self.y_)

    def save(self, folder: Path) -> None:
        """Write the map as `calibration.json`."""
        values = {"kind": self.kind, "fitted": self.kind_}
        values |= {"x": self.x_.tolist(), "y": self.y_.tolist()}
        write_json(folder / "calibration.json", values)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        values = json.loads((folder / "calibration.json").read_text(encoding="utf-8"))
        calibration = cls(kind=values["kind"])
        calibration.kind_ = values["fitted"]
        calibration.x_, calibration.y_ = np.array(values["x"]), np.array(values["y"])
        return calibration


def _logit(scores: np.ndarray) -> np.ndarray:
    clipped = np.clip(scores.astype(np.float64), EPSILON, 1 - EPSILON)
    return np.log(clipped / (1 - clipped))


def _platt(logits: np.ndarray, labels: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """Return slope and intercept (2,) of least log loss; the slope never turns the order round."""
    from sklearn.linear_model import LogisticRegression

    center, spread = logits.mean(), max(float(logits.std()), 1e-9)
    inputs = (logits - center)[:, None] / spread  # (N, 1): a narrow score needs a steep slope
    fitted = LogisticRegression(C=1e4, max_iter=1000).fit(inputs, labels, weights)
    steep, base = float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
    if steep <= 0:  # useless scores: every payment gets the base rate
        rate = np.average(labels, weights=weights)
        steep, base = 1e-6, float(np.log(rate / (1 - rate)))
    return np.array([steep / spread, base - steep * center / spread])
