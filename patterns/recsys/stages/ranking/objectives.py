"""What an order is for: clicks, watch time or ratings, alone or weighed against each other.

    ctr      a clicked item counts 1
    watch    a clicked item counts its minutes
    rating   a clicked item counts its rating

`Worth` is this count, the same for every ranker: what it learns, and the gain by which early
stopping judges it. A clicked item of unknown value counts the mean of the known ones.

Several objectives are weighed by scalarisation. Scores of different rankers have no common unit,
so each is standardised within its request first (mean 0, deviation 1 over the candidates):

    s(b, k) = sum_o w_o (s_o(b, k) - mean_b s_o) / sd_b s_o

The weights are a product decision; `pareto` shows what there is to decide between: the points that
no other beats on both counts. (A weighted sum finds only points on the convex hull of the front.)

Shapes: `B` requests, `K` candidates, `O` objectives, `W` weightings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from patterns.recsys.stages.ranking.examples import Examples, Rows

Objective = Literal["ctr", "watch", "rating"]
Metric = Literal["ndcg", "auc", "log-loss"]
OBJECTIVES: tuple[Objective, ...] = ("ctr", "watch", "rating")


@dataclass(frozen=True)
class Worth:
    """What clicked items count under an objective, and the moments of the known values."""

    objective: Objective
    mean: float = 1.0
    deviation: float = 1.0
    low: float = 0.0
    high: float = 1.0

    @classmethod
    def learn(cls, objective: Objective, rows: Rows) -> Worth:
        """Read the moments off training rows; raise where the objective has nothing to learn."""
        if objective not in OBJECTIVES:
            raise ValueError(
                f"objective: {objective!r} is not known; use one of {', '.join(OBJECTIVES)}"
            )
        if objective == "ctr":
            return cls(objective)
        known = rows.values[(rows.labels > 0) & ~np.isnan(rows.values)].astype(np.float64)
        if not len(known):
            raise ValueError(
                f"objective: {objective} needs the value (rating or minutes) of some items that"
                " were clicked, and none is known; use ctr, or data with ratings"
            )
        if known.min() < 0:
            raise ValueError(
                f"objective: {objective} weighs by value, and the lowest is {known.min():g};"
                " shift the values to 0 or more, or use ctr"
            )
        spread = max(float(known.std()), 1e-6)
        return cls(objective, float(known.mean()), spread, float(known.min()), float(known.max()))

    def of(self, labels: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Return what each example counts: float32 of the shape of `labels`, 0 elsewhere."""
        if self.objective == "ctr":
            return labels
        filled = np.where(np.isnan(values), self.mean, values)
        return np.where(labels > 0, filled, 0.0).astype(np.float32)


def judge(metric: Metric, scores: np.ndarray, examples: Examples, worth: Worth) -> float:
    """Judge scores (B, K) by a metric; higher is better, so the log loss is given negative."""
    if metric == "ndcg":
        return worth_at_10(scores, examples, worth)
    labels, flat = examples.labels[examples.real], scores[examples.real].astype(np.float64)
    if metric == "log-loss":
        return -float((np.logaddexp(0.0, flat) - labels * flat).mean())
    from common.evaluation.classification import roc_auc

    return roc_auc(labels.astype(np.int64), flat)


def worth_at_10(scores: np.ndarray, examples: Examples, worth: Worth) -> float:
    """Judge scores (B, K): NDCG@10 among the candidates of each request, gains by `worth`."""
    from common.evaluation.ranking import ndcg

    gains = worth.of(examples.labels, examples.values)
    order = np.argsort(-scores, axis=1, kind="stable")
    return float(ndcg(np.take_along_axis(gains, order, axis=1), gains, 10).mean())


@dataclass(frozen=True)
class Point:
    """What one weighting gives on a validation set."""

    weights: dict[str, float]
    ndcg: float
    """Mean NDCG@k of what was clicked, among the candidates."""
    value: float
    """Mean known value of the clicked items within the first k; NaN where there is none."""
    efficient: bool
    """Whether no other weighting is at least as good on both counts and better on one."""


def combine(scores: Mapping[str, np.ndarray], weights: Mapping[str, float]) -> np.ndarray:
    """Weigh the standardised scores (B, K) of several objectives: (B, K), padding -inf."""
    return _combined(scores, [weights])[0]


def pareto(
    scores: Mapping[str, np.ndarray],
    weightings: Sequence[Mapping[str, float]],
    examples: Examples,
    *,
    k: int = 10,
) -> list[Point]:
    """Judge each weighting of `scores` (B, K) on `examples`, and mark the efficient ones."""
    from common.evaluation.ranking import ndcg

    labels, values = examples.labels, examples.values
    order = np.argsort(-_combined(scores, weightings), axis=2, kind="stable")[:, :, :k]  # (W, B, k)
    rows = np.arange(len(labels))[:, None]
    clicked = labels[rows, order]  # (W, B, k)
    hits = (clicked > 0) & ~np.isnan(values[rows, order])
    total = np.where(hits, values[rows, order], 0.0).sum(axis=(1, 2), dtype=np.float64)
    count = hits.sum(axis=(1, 2))
    value = np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)  # (W,)
    width = order.shape[2]
    ideal = np.tile(labels.sum(axis=1), len(weightings))
    quality = ndcg(clicked.reshape(-1, width), ideal, k).reshape(len(weightings), -1).mean(axis=1)
    efficient = non_dominated(np.stack([quality, value], axis=1))
    columns = zip(weightings, quality, value, efficient, strict=True)
    return [Point(dict(w), float(n), float(v), bool(e)) for w, n, v, e in columns]


def non_dominated(points: np.ndarray) -> np.ndarray:
    """Mark the rows of `points` (W, C), higher is better, that no other row dominates.

    NaN is worse than any number; equal rows do not dominate each other.
    """
    filled = np.where(np.isnan(points), -np.inf, points)
    ahead, behind = filled[:, None], filled[None]  # (W, 1, C), (1, W, C)
    dominates = (ahead >= behind).all(axis=2) & (ahead > behind).any(axis=2)  # (W, W)
    return np.logical_not(dominates.any(axis=0))


def _combined(
    scores: Mapping[str, np.ndarray], weightings: Sequence[Mapping[str, float]]
) -> np.ndarray:
    """Return the weighed scores (W, B, K)."""
    unknown = {name for weights in weightings for name in weights} - set(scores)
    if unknown:
        raise ValueError(
            f"weights: {sorted(unknown)[0]!r} has no scores; weigh some of {', '.join(scores)}"
        )
    table = np.array([[weights.get(name, 0.0) for name in scores] for weights in weightings])
    stacked = np.stack([_standardised(each) for each in scores.values()])  # (O, B, K)
    combined = np.einsum("wo,obk->wbk", table, stacked)
    padding = np.logical_or.reduce([np.isneginf(each) for each in scores.values()])
    return np.where(padding, -np.inf, combined)


def _standardised(scores: np.ndarray) -> np.ndarray:
    """Return each request's scores mean 0 and deviation 1; 0 where they are equal or padding."""
    real = np.isfinite(scores)
    count = np.maximum(real.sum(axis=1, keepdims=True), 1)
    plain = np.where(real, scores, 0.0).astype(np.float64)
    centred = np.where(real, plain - plain.sum(axis=1, keepdims=True) / count, 0.0)
    spread = np.sqrt(np.square(centred).sum(axis=1, keepdims=True) / count)
    return np.divide(centred, spread, out=np.zeros_like(centred), where=spread > 1e-9)
