"""Which variant to serve: each is judged over several expanding windows, not over one.

Box "choice". Fraud moves, so one validation window favours whoever suits that window. In each fold
a variant is fitted anew on the past, tuned (stopping, calibration, threshold) on the payments that
follow, and judged on those after them, as it would be in production:

    fold 1   | train | wait | tune | judge |
    fold 2   | train                | wait | tune | judge |
    fold 3   | train                               | wait | tune | judge |

    value = mean over the folds of (AP + share of the fraud losses saved) / 2

or of AP alone where payments have no amounts. Payments without a time are cut by chance instead.
To be quick, a fold is fitted on all its frauds and at most `genuine_per_fraud` genuine payments for
each. Source: Hyndman and Athanasopoulos, Forecasting, 5.10.

Shapes: `N` payments before the test, `F` features.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass

import numpy as np

from common.evaluation.classification import average_precision
from patterns.fraud.entities.payments import Fold
from patterns.fraud.stages.decision import money
from patterns.fraud.stages.imbalance import rebalance
from patterns.fraud.stages.variant import Variant


@dataclass(frozen=True)
class Judgement:
    """How a variant did in each fold."""

    ap: tuple[float, ...]
    saved: tuple[float, ...]  # share of the losses to fraud, empty without amounts

    @property
    def value(self) -> float:
        """Return what variants are compared by: higher is better."""
        ap = float(np.mean(self.ap))
        if not self.saved:
            return ap
        return (ap + float(np.mean(np.maximum(self.saved, -1.0)))) / 2


def judge(
    variant: Variant,
    folds: tuple[Fold, ...],
    *,
    features: np.ndarray,
    labels: np.ndarray,
    amounts: np.ndarray | None,
    weights: np.ndarray | None = None,
    genuine_per_fraud: int = 20,
    seed: int = 0,
) -> Judgement:
    """Fit copies of the unfitted `variant` on each fold of features (N, F) and labels (N,)."""
    ap, saved = [], []
    for fold in folds:
        chosen = _fewer(labels, fold.train, genuine_per_fraud, seed)
        fresh = copy(variant)
        fresh.model, fresh.calibration = copy(variant.model), copy(variant.calibration)
        fresh.decision = copy(variant.decision)
        fresh.fit(
            (features[chosen], labels[chosen]),
            (features[fold.tune], labels[fold.tune]),
            amounts=None if amounts is None else amounts[fold.tune],
            weights=None if weights is None else weights[fold.tune],
        )
        after, truth = features[fold.judge], labels[fold.judge]
        each = None if weights is None else weights[fold.judge]
        probabilities = fresh.probabilities(after)
        ap.append(average_precision(truth, probabilities, each))
        if amounts is not None:
            worth = amounts[fold.judge]
            declined = fresh.decision.decline(probabilities, worth)
            cost = fresh.decision.false_positive_cost
            priced = money(truth, worth, declined, false_positive_cost=cost, weights=each)
            saved.append(priced.saved_share)
    return Judgement(tuple(ap), tuple(saved))


def _fewer(labels: np.ndarray, rows: np.ndarray, ratio: int, seed: int) -> np.ndarray:
    """Return all frauds among `rows` and at most `ratio` genuine payments for each, in order."""
    kept, _, _ = rebalance(
        rows[:, None], labels[rows], method="undersample", ratio=ratio, seed=seed
    )
    return np.sort(kept[:, 0])
