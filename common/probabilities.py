"""From logits to an answer: calibrated probabilities, then the k most likely labels.

A network trained to zero training loss is overconfident: of the answers it gives .99 to, fewer
than 99 % are right (label smoothing errs the other way). Temperature scaling divides all logits by
one number T > 0,

    p = softmax(z / T),     T = argmin_T  −Σ_i log p_i[y_i]   on the validation set,

which changes no decision, only the confidence. Guo et al. 2017, "On Calibration of Modern Neural
Networks", § 4.2. Different here: a validation set without a mistake would drive T to 0, so each row
counts as if 1 / (N + 2) of it had another label (Platt 1999, § 2.2); beyond a few hundred rows that
makes no difference.

Shapes: N rows, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LOWEST, HIGHEST = 0.05, 20.0


@dataclass(frozen=True)
class Answer:
    """The likeliest labels of one input, best first, and their probabilities."""

    labels: list[str]
    probabilities: list[float]


def softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Return probabilities (N, C) that sum to 1."""
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    scaled -= scaled.max(axis=1, keepdims=True, initial=-np.inf)
    exponent = np.exp(scaled)
    return exponent / exponent.sum(axis=1, keepdims=True)


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Find the T between .05 and 20 with the least log loss; logits (N, C), labels (N,)."""
    from scipy.optimize import minimize_scalar

    rows, classes = np.arange(len(labels)), np.shape(logits)[1]
    other = 1.0 / (len(labels) + 2)

    def loss(log_temperature: float) -> float:
        shares = np.log(np.maximum(softmax(logits, float(np.exp(log_temperature))), 1e-12))
        chosen = shares[rows, labels]
        rest = (shares.sum(axis=1) - chosen) / max(classes - 1, 1)
        return float(-((1 - other) * chosen + other * rest).mean())

    bounds = (float(np.log(LOWEST)), float(np.log(HIGHEST)))
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-4})
    return float(np.exp(found.x))


def top_k(probabilities: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the k likeliest labels of each row and their probabilities, (N, min(k, C)) each.

    Ties go to the lower label.
    """
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(probabilities, order, axis=1)


def answers(probabilities: np.ndarray, label_names: Sequence[str], k: int) -> list[Answer]:
    """Return the k likeliest labels of each row of (N, C) by name; all of them where k > C."""
    labels, shares = top_k(probabilities, k)
    return [
        Answer([label_names[label] for label in row], share.tolist())
        for row, share in zip(labels, shares, strict=True)
    ]
