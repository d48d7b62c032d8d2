"""What decisions save, with intervals that respect customers.

    saved = sum over declined payments of  (amount if fraud, else -false_positive_cost)

A few customers lose most of the money, and all payments of a stolen card share their fate, so whole
customers are resampled (payments, where no customer is known). Two ways to decide are compared on
the same resamples: what both save cancels.

Shapes: `N` payments, `C` customers.
"""

from __future__ import annotations

import numpy as np

from common.evaluation.bootstrap import interval, interval_of
from common.evaluation.report import Estimate
from patterns.fraud.entities.payments import Payments
from patterns.fraud.stages.decision import gains

SAMPLES = 1000


class Savings:
    """Prices decisions (N,) on the payments of the test days, in the currency of their amounts."""

    def __init__(self, payments: Payments, *, false_positive_cost: float, seed: int) -> None:
        assert payments.amounts is not None
        self.payments, self.cost, self.seed = payments, false_positive_cost, seed
        owners = np.arange(len(payments)) if payments.customers is None else payments.customers
        self._codes = np.unique(owners, return_inverse=True)[1]  # (N,)
        self._lost = self._gained(payments.labels == 1)  # (C,) where all is accepted

    def share(self, declined: np.ndarray) -> Estimate:
        """Return what is saved over all that fraud would have cost."""
        gained = self._gained(declined)
        low, high = interval_of(_share, gained, self._lost, samples=SAMPLES, seed=self.seed)
        return Estimate(_share(gained, self._lost), low, high)

    def saved(self, declined: np.ndarray) -> Estimate:
        """Return what is saved over accepting every payment."""
        return self._total(self._gained(declined))

    def above(self, declined: np.ndarray, other: np.ndarray) -> Estimate:
        """Return how much more is saved than by `other` decisions (N,), paired."""
        return self._total(self._gained(declined) - self._gained(other))

    def _gained(self, declined: np.ndarray) -> np.ndarray:
        """Return what declining gained on each customer's payments (C,)."""
        test = self.payments
        assert test.amounts is not None
        each = gains(
            test.labels,
            test.amounts,
            declined,
            false_positive_cost=self.cost,
            weights=test.weights,
        )
        return np.bincount(self._codes, each)

    def _total(self, gained: np.ndarray) -> Estimate:
        """Return the sum over customers (C,), in whole units of money."""
        low, high = interval(gained, samples=SAMPLES, seed=self.seed)
        mean, count = float(gained.mean()), len(gained)
        return Estimate(round(mean * count), round(low * count), round(high * count))


def _share(gained: np.ndarray, lost: np.ndarray) -> float:
    total = lost.sum()
    return float(gained.sum() / total) if total else 0.0
