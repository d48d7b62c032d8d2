"""From logits to an answer: the temperature that makes probabilities honest.

A network trained to zero training loss is overconfident: of the answers it gives .99 to, fewer
than 99 % are right. Temperature scaling divides all logits by one number T > 0,

    p = softmax(z / T),     T = argmin_T  −Σ_i log p_i[y_i]   on the validation set,

which changes no decision, only the confidence (Guo et al. 2017, "On Calibration of Modern Neural
Networks"). Where every validation image is answered rightly there is nothing to learn doubt from,
and the minimum would lie at T = 0, certainty: T then stays 1.
"""

from __future__ import annotations

import numpy as np

from common.probabilities import softmax

LOWEST, HIGHEST = 0.05, 20.0


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Find the T between .05 and 20 with the least log loss; logits (N, K), labels (N,)."""
    from scipy.optimize import minimize_scalar

    if (logits.argmax(axis=1) == labels).all():
        return 1.0
    rows = np.arange(len(labels))

    def loss(log_temperature: float) -> float:
        chosen = softmax(logits, float(np.exp(log_temperature)))[rows, labels]
        return float(-np.log(np.maximum(chosen, 1e-300)).mean())

    bounds = (float(np.log(LOWEST)), float(np.log(HIGHEST)))
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-4})
    return float(np.exp(found.x))
