"""Which variant to serve: each is judged over several expanding windows, not over one.

Box "choice". Fraud moves, so one validation window favours whoever suits that window. In each fold
a variant is fitted anew on the past, tuned (stopping, calibration, threshold) on the payments that
follow, and judged on all after them, as it would be in production:

    fold 1   | train             | wait | tune | judge                         |
    fold 2   | train                      | wait | tune | judge                |
    fold 3   | train                               | wait | tune | judge       |

    value = mean over the folds of (AP + share of the fraud losses saved) / 2

or of AP alone where payments have no amounts. Payments without a time are cut by chance instead.
To be quick, a fold of a large table is fitted on all frauds and `most_genuine` genuine payments;
with much fewer of those the trees look worse than they are. Source: Hyndman and Athanasopoulos,
Forecasting, 5.10.

Shapes: `N` payments before the test, `F` features.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass

import numpy as np

from common.evaluation.classification import average_precision
from common.evaluation.splits import expanding_window, stratified_k_fold
from patterns.fraud.stages.decision import money
from patterns.fraud.stages.models.xgboost import BoostedTrees
from patterns.fraud.stages.variant import Variant

MOST_DECLINED = 0.5  # of genuine payments: who declines more is no fallback


@dataclass(frozen=True)
class Fold:
    """Rows of one expanding window: to fit on, to tune on, to judge by."""

    train: np.ndarray
    tune: np.ndarray
    judge: np.ndarray


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


def make_folds(
    labels: np.ndarray, times: np.ndarray | None, *, count: int, delay: int, seed: int = 0
) -> list[Fold]:
    """Return `count` folds of payments with labels and times (N,), as drawn above.

    Without times they are drawn by chance. A fold lacking fraud in any of its parts is left out.
    """
    found = _by_chance(labels, count, seed) if times is None else _in_time(times, count, delay)
    return [
        fold
        for fold in found
        if all(0 < labels[rows].sum() < len(rows) for rows in (fold.train, fold.tune, fold.judge))
    ]


def _in_time(times: np.ndarray, count: int, delay: int) -> list[Fold]:
    """Return expanding windows over `times` (N,), with a wait of `delay` if there is time for it.

    The first begins in the middle: a model fitted on much less than at the end would be another.
    """
    order = np.argsort(times, kind="stable")
    for gap in (delay, 0):
        try:
            pairs = expanding_window(times, 2 * count - 1, gap=gap)[-count:]
        except ValueError:  # too few moments, or a wait that leaves nothing to train on
            continue
        begins = [int(np.searchsorted(times[order], times[after].min())) for _, after in pairs]
        halves = [begin + len(after) // 2 for begin, (_, after) in zip(begins, pairs, strict=True)]
        return [
            Fold(past, order[begin:half], order[half:])
            for (past, _), begin, half in zip(pairs, begins, halves, strict=True)
        ]
    return []


def _by_chance(labels: np.ndarray, count: int, seed: int) -> list[Fold]:
    """Return folds of a cross-validation over `labels` (N,); none for too few frauds."""
    least = min(int(labels.sum()), int((labels == 0).sum()))
    if least < 2:
        return []
    pairs = stratified_k_fold(labels, min(max(count, 2), least), seed=seed)[:count]
    halves = ((past, after, len(after) // 2) for past, after in pairs)
    return [Fold(past, after[:half], after[half:]) for past, after, half in halves]


def judge(
    variant: Variant,
    folds: Sequence[Fold],
    *,
    features: np.ndarray,
    labels: np.ndarray,
    amounts: np.ndarray | None,
    weights: np.ndarray | None = None,
    most_genuine: int = 50_000,
    most_bins: int = 512,
    seed: int = 0,
) -> Judgement:
    """Fit copies of the unfitted `variant` on each fold of features (N, F) and labels (N,).

    Trees look at most at `most_bins` histogram bins there: for them the bins are most of the time.
    """
    ap, saved = [], []
    for fold in folds:
        chosen = _fewer(labels, fold.train, most_genuine, seed)
        fresh = _copied(variant, most_bins)
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


def _copied(variant: Variant, most_bins: int) -> Variant:
    """Return a copy with stages of its own."""
    fresh = copy(variant)
    fresh.model, fresh.calibration = copy(variant.model), copy(variant.calibration)
    fresh.decision = copy(variant.decision)
    if isinstance(fresh.model, BoostedTrees):
        fresh.model.bins = min(fresh.model.bins, most_bins)
    return fresh


def _fewer(labels: np.ndarray, rows: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Return all frauds among `rows` and at most `most` genuine payments, in order."""
    genuine = rows[labels[rows] == 0]
    if len(genuine) <= most:
        return rows
    drawn = np.random.default_rng(seed).choice(genuine, most, replace=False)
    return np.sort(np.concatenate([rows[labels[rows] == 1], drawn]))


def settle_fallback(
    served: Variant,
    rules: Variant,
    others: Sequence[Variant],
    *,
    features: np.ndarray,
    labels: np.ndarray,
    amounts: np.ndarray | None,
) -> tuple[Variant, list[str]]:
    """Return what answers when `served` fails, and what must be said, on validation (N, F).

    The rules, unless they decline nobody or most genuine payments: then the first of `others`.
    """
    genuine, notices = labels == 0, []

    def declined(variant: Variant) -> np.ndarray:
        return variant.decision.decline(variant.probabilities(features), amounts)

    if (share := declined(served)[genuine].mean()) > MOST_DECLINED:
        notices.append(
            f"At these costs {served.name} declines {share:.0%} of the genuine payments of"
            " validation; give declining one a higher cost if that is too many."
        )
    hit = declined(rules)
    if hit.any() and hit[genuine].mean() <= MOST_DECLINED:
        return rules, notices
    notices.append(
        f"The rules decline {hit[genuine].mean():.0%} of the genuine payments of validation and"
        f" {hit[~genuine].mean():.0%} of the frauds, so {others[0].name} answers when {served.name}"
        " fails."
    )
    return others[0], notices
