"""Maximal marginal relevance: a page that does not say the same thing ten times.

Source: Carbonell & Goldstein, SIGIR 1998; here greedy over inner products.

Shapes: `K` candidates, `D` dimensions.
"""

from __future__ import annotations

import numpy as np


def mmr(relevance: np.ndarray, vectors: np.ndarray, *, k: int, trade_off: float) -> np.ndarray:
    """Order candidates by relevance less similarity to what was already chosen; returns positions.

    Each step takes `argmax_i trade_off * relevance_i - (1 - trade_off) * max_j sim(i, j)` over the
    chosen `j`. `relevance` (K,) should lie in [0, 1] and `vectors` (K, D) be unit length, so that
    both terms share a scale. `trade_off` 1 is plain ranking. Ties go to the earlier candidate.
    """
    count = len(relevance)
    similarity = vectors @ vectors.T  # (K, K)
    chosen = np.empty(min(k, count), dtype=np.int64)
    nearest = np.zeros(count)
    open_ = np.ones(count, dtype=bool)
    for step in range(len(chosen)):
        value = trade_off * relevance - (1 - trade_off) * nearest
        best = int(np.argmax(np.where(open_, value, -np.inf)))
        chosen[step] = best
        open_[best] = False
        nearest = similarity[best] if step == 0 else np.maximum(nearest, similarity[best])
    return chosen
