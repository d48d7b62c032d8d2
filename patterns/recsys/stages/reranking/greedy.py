"""Filling pages step by step, one step for all requests of a batch at once.

Each step takes, in every request, the open place of the largest

    trade_off * relevance - (1 - trade_off) * mean of the penalties

among those the caps allow. What cannot be taken yet lies in tiers far below: first candidates
beyond the pool, in their order, which come in only where the caps leave nothing of the pool; then
what violates a cap; last padding. So one argmax does all and a page is never shorter than it must.

Shapes: `B` requests, `K` candidates, `P` the pool that is weighed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from common.retrieval import MISSING
from patterns.recsys.stages.reranking.penalties import Penalty
from patterns.recsys.stages.reranking.rules import Rules

RESERVE, VIOLATION, PADDING = 1e3, 1e6, 1e9


def greedy(
    item_ids: np.ndarray,
    relevance: np.ndarray,
    penalties: Sequence[Penalty],
    *,
    pool: int,
    k: int,
    trade_off: float,
    rules: Rules | None = None,
) -> np.ndarray:
    """Return places (B, min(k, K)) of `item_ids` (B, K), best first; ties go to the earlier place.

    `relevance` (B, K) lies in [0, 1] within the pool, the first P places.
    """
    size, width = item_ids.shape
    rows = np.arange(size)
    base = _tiers(item_ids, relevance, pool, trade_off)
    chosen = np.empty((size, min(k, width)), dtype=np.int64)
    for step in range(chosen.shape[1]):
        values = base.copy()
        for penalty in penalties:
            values[:, :pool] -= (1 - trade_off) / len(penalties) * penalty.costs()
        if rules is not None and rules.caps:
            page = np.take_along_axis(item_ids, chosen[:, :step], axis=1)
            values -= VIOLATION * ~rules.allowed(item_ids, page)
        best = values.argmax(axis=1)
        chosen[:, step] = best
        base[rows, best] = -np.inf
        for penalty in penalties:
            penalty.pick(best)
    return chosen


def _tiers(item_ids: np.ndarray, relevance: np.ndarray, pool: int, trade_off: float) -> np.ndarray:
    """Return the worth (B, K) of each place before penalties and caps."""
    base = np.empty(item_ids.shape)
    base[:, :pool] = trade_off * relevance[:, :pool]
    base[:, pool:] = -RESERVE - np.arange(item_ids.shape[1] - pool)
    return np.where(item_ids == MISSING, -PADDING - np.arange(item_ids.shape[1]), base)


def to_unit(scores: np.ndarray, item_ids: np.ndarray, pool: int) -> np.ndarray:
    """Scale scores (B, K) so that the pool spans [0, 1], to be weighed against the penalties.

    Scores are logits of a click, or similar to them, and are weighed as probabilities: what matters
    between two items is how much likelier one is, not how much surer both are to be passed over.
    Equal scores become 1; padding becomes -inf; what lies beyond the pool falls below 0.
    """
    real = item_ids != MISSING
    scores = 1.0 / (1.0 + np.exp(-np.clip(scores, -30.0, 30.0)))
    weighed = real[:, :pool]
    high = np.where(weighed, scores[:, :pool], -np.inf).max(axis=1, keepdims=True)
    low = np.where(weighed, scores[:, :pool], np.inf).min(axis=1, keepdims=True)
    spread = np.where(high > low, high - low, 1.0)
    low = np.where(high > low, low, high - 1.0)
    unit = np.where(real, scores, 0.0) - np.where(np.isfinite(low), low, 0.0)
    return np.where(real, unit / spread, -np.inf)
