"""From logits to an answer: calibrated probabilities, then the k most likely labels.

A network trained to zero training loss is overconfident: of the answers it gives .99 to, fewer
than 99 % are right. Temperature scaling divides all logits by one number T > 0,

    p = softmax(z / T),     T = argmin_T  −Σ_i Σ_c q_i[c] log p_i[c]   on the validation set,

which changes no decision, only the confidence (Guo et al. 2017, "On Calibration of Modern Neural
Networks"). The target q gives the label 1 − 1 / (N + 2) and the rest to the other classes, as Platt
(1999) does: on N images that are all answered rightly, plain labels would drive T to zero.
"""

from __future__ import annotations

import numpy as np

LOWEST, HIGHEST = 0.05, 20.0


def softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Give probabilities (N, K) that sum to 1."""
    scaled = logits.astype(np.float64) / temperature
    scaled -= scaled.max(axis=1, keepdims=True)
    exponent = np.exp(scaled)
    return exponent / exponent.sum(axis=1, keepdims=True)


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Find the T between .05 and 20 with the least log loss; logits (N, K), labels (N,)."""
    from scipy.optimize import minimize_scalar

    classes = logits.shape[1]
    doubt = 1 / (len(labels) + 2)
    targets = np.full(logits.shape, doubt / max(classes - 1, 1))
    targets[np.arange(len(labels)), labels] = 1 - doubt

    def loss(log_temperature: float) -> float:
        shares = softmax(logits, float(np.exp(log_temperature)))
        return float(-(targets * np.log(np.maximum(shares, 1e-300))).sum(axis=1).mean())

    bounds = (float(np.log(LOWEST)), float(np.log(HIGHEST)))
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-4})
    return float(np.exp(found.x))


def top_k(probabilities: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Give the k likeliest labels of each row and their probabilities, (N, min(k, K)) each.

    Ties go to the lower label.
    """
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(probabilities, order, axis=1)
