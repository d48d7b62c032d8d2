"""Which variant to serve: each is judged over several expanding windows, not over one.

Box "choice". Fraud moves, so one validation window favours whoever suits that window. In each fold
(see `folds`) a variant is fitted anew on the past, tuned (stopping, calibration, threshold) on the
payments that follow, and judged on all after them, as it would be in production:

    value = mean over the folds of (AP + share of the fraud losses saved) / 2

or of AP alone where payments have no amounts. Money is that of the policy that saves most, which
is then served with it. To be quick, a fold of a large table is fitted on all
frauds and `most_genuine` genuine payments; with much fewer of those the trees look worse than they
are.

Shapes: `N` payments before the test, `F` features.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Self

import numpy as np

from common.evaluation.classification import average_precision
from common.preference import preferred
from common.units import DAY
from patterns.fraud.entities.payments import Payments
from patterns.fraud.stages.decision import POLICIES, money
from patterns.fraud.stages.folds import Fold, make_folds
from patterns.fraud.stages.models.xgboost import BoostedTrees
from patterns.fraud.stages.variant import Variant
from patterns.fraud.stages.variants import LOGISTIC, RULES, XGBOOST


def servable(*, serve: str, imbalance: str, methods: Sequence[str]) -> list[str]:
    """Return the names of the variants that may be served, the simplest first.

    `serve` is a kind of model or best; `imbalance` one of `methods`, the rebalancings that the
    features allow, or best.
    """
    if imbalance != "best" and imbalance not in methods:
        raise ValueError(
            f"imbalance: {imbalance} cannot interpolate categories or missing values; give one of"
            f" {', '.join(methods)}, or leave those columns out"
        )
    boosted = [XGBOOST[method] for method in methods if imbalance in ("best", method)]
    every = {"logistic": [LOGISTIC], "xgboost": boosted, "rules": [RULES]}
    return every.get(serve, [RULES, LOGISTIC, *boosted])


@dataclass(frozen=True)
class Judgement:
    """How a variant did in each fold."""

    ap: tuple[float, ...]
    saved: Mapping[str, tuple[float, ...]]  # by policy, share of the losses; empty without amounts

    @property
    def policy(self) -> str | None:
        """Return the policy that saves most, of equals the first; None without amounts."""
        return max(self.saved, key=self._mean_saved, default=None)

    @property
    def value(self) -> float:
        """Return what variants are compared by: higher is better."""
        ap = float(np.mean(self.ap))
        return ap if self.policy is None else (ap + self._mean_saved(self.policy)) / 2

    def _mean_saved(self, policy: str) -> float:
        return float(np.mean(np.maximum(self.saved[policy], -1.0)))


class Choice:
    """Learned attribute: `judged_`, each candidate over the folds; empty if none was compared."""

    def __init__(
        self,
        *,
        candidates: Sequence[str],
        policies: Sequence[str] = POLICIES,
        folds: int = 3,
        delay: int = 7 * DAY,
        seed: int = 0,
    ) -> None:
        """Compare `candidates`, names of variants, and `policies` over `folds` windows.

        Labels come `delay` seconds late.
        """
        self.candidates, self.policies = list(candidates), list(policies)
        self.folds, self.delay, self.seed = folds, delay, seed
        self.judged_: dict[str, Judgement] = {}

    def fit(self, variants: Mapping[str, Variant], features: np.ndarray, known: Payments) -> Self:
        """Judge the unfitted candidates among `variants` on the `known` payments' features (N, F).

        Where there is nothing to choose nothing is judged, nor where no fold holds frauds.
        """
        self.judged_ = {}
        if len(self.candidates) == len(self.policies) == 1:
            return self
        folds = make_folds(
            known.labels, known.times, count=self.folds, delay=self.delay, seed=self.seed
        )
        if folds:
            self.judged_ = {
                name: judge(variants[name], folds, features, known, self.policies, seed=self.seed)
                for name in self.candidates
            }
        return self

    def settle(self, variants: Mapping[str, Variant]) -> tuple[Variant, str | None]:
        """Return the fitted variant to serve, and what to say if it is no trees.

        All `variants` then decide by its best policy. Where none was compared, AP on validation
        decides, of equals it is the first candidate, and policies stay as they are.
        """
        value = {name: each.value for name, each in self.judged_.items()}
        priced = any(each.saved for each in self.judged_.values())
        measure = "the mean of AP and money saved" if priced else "AP"
        measure += " over the windows before the test" if value else " on validation"
        value = value or {name: variants[name].valid_ap_ for name in self.candidates}
        trees = [name for name in self.candidates if name in XGBOOST.values()]
        learned = max(trees or self.candidates, key=value.__getitem__)
        compared = {name: value[name] for name in self.candidates if name not in trees}
        best, said = preferred(compared | {learned: value[learned]}, learned, measure=measure)
        if self.judged_ and (policy := self.judged_[best].policy):
            for variant in variants.values():
                variant.decision.policy = policy
        return variants[best], said


def judge(
    variant: Variant,
    folds: Sequence[Fold],
    features: np.ndarray,
    known: Payments,
    policies: Sequence[str],
    *,
    most_genuine: int = 50_000,
    most_bins: int = 512,
    seed: int = 0,
) -> Judgement:
    """Fit copies of the unfitted `variant` on each fold of the `known` payments' features (N, F).

    Each of `policies` decides by the same probabilities. Trees look at most at `most_bins`
    histogram bins there: for them the bins are most of the time.
    """
    ap: list[float] = []
    saved: dict[str, list[float]] = {policy: [] for policy in policies}
    for fold in folds:
        chosen = _fewer(known.labels, fold.train, most_genuine, seed)
        tune, after = known.take(fold.tune), known.take(fold.judge)
        fresh = _copied(variant, most_bins)
        fresh.fit(
            (features[chosen], known.labels[chosen]),
            (features[fold.tune], tune.labels),
            amounts=tune.amounts,
            weights=tune.weights,
        )
        probabilities = fresh.probabilities(features[fold.judge])
        ap.append(average_precision(after.labels, probabilities, after.weights))
        for policy in policies if after.amounts is not None else ():
            declined = fresh.decision.under(policy).decline(probabilities, after.amounts)
            saved[policy].append(_saved_share(after, declined, fresh.decision.false_positive_cost))
    return Judgement(tuple(ap), {policy: tuple(by) for policy, by in saved.items() if by})


def _saved_share(payments: Payments, declined: np.ndarray, cost: float) -> float:
    assert payments.amounts is not None
    return money(
        payments.labels,
        payments.amounts,
        declined,
        false_positive_cost=cost,
        weights=payments.weights,
    ).saved_share


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
