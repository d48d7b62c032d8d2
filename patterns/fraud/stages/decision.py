"""From a probability to an action: which payments to decline, and which cards to look at.

Box "decision". Two costs decide, not accuracy: a fraud let through costs its amount, a genuine
payment declined costs a fixed sum (the call, the lost margin, now and then the customer).

    threshold        decline where p >= t; t minimises the cost on validation
    expected-loss    decline where p * amount > (1 - p) * false_positive_cost; needs a calibrated p

The second rule lets small payments through that are not worth a declined customer, and declines
large ones sooner (Elkan, "The Foundations of Cost-Sensitive Learning", IJCAI 2001; Bahnsen et al.,
2013, for cards). Payments without amounts have no price: their threshold is the one of the highest
F1 on validation.

Investigators have a budget instead: `card_precision` is the share of compromised cards among the k
alerted each day (CP@k of the Fraud Detection Handbook, chapter 4.4). A card is alerted once a day,
by its highest score; ties go to the lower card id, where the handbook leaves them to an unstable
sort.

Shapes: `N` payments.
"""

from __future__ import annotations

import json
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from common.atomic import write_json
from common.evaluation.classification import best_threshold_by_cost

POLICY_NAMES = {"threshold": "cost threshold", "expected-loss": "expected loss"}
POLICIES = tuple(POLICY_NAMES)  # the simplest first


def offered(policy: str) -> tuple[str, ...]:
    """Return what to choose from: `policy` itself, or all of `POLICIES` where it is best."""
    return POLICIES if policy == "best" else (policy,)


class CostDecision:
    """Declines the payments that cost more to accept than to decline."""

    def __init__(self, *, false_positive_cost: float = 10.0, policy: str = "threshold") -> None:
        """`false_positive_cost` is in the currency of the amounts; `policy` one of `POLICIES`."""
        self.false_positive_cost = false_positive_cost
        self.policy = policy

    def fit(
        self,
        probabilities: np.ndarray,
        labels: np.ndarray,
        amounts: np.ndarray | None,
        weights: np.ndarray | None = None,
    ) -> Self:
        """Choose the threshold of least cost on these (validation) payments, each (N,).

        Raises `ValueError` where the policy is "expected-loss" and there are no amounts.
        """
        if amounts is None and self.policy == "expected-loss":
            raise ValueError("policy: expected-loss needs amounts; take threshold instead")
        if amounts is None:
            self.threshold_ = _best_by_f1(probabilities, labels, weights)
            return self
        each = np.ones(len(labels)) if weights is None else weights
        best = best_threshold_by_cost(
            labels,
            probabilities,
            false_positive=self.false_positive_cost * each,
            false_negative=amounts * each,
        )
        self.threshold_ = float(best.threshold)
        return self

    def under(self, policy: str) -> Self:
        """Return the same costs and threshold under another policy."""
        other = copy(self)
        other.policy = policy
        return other

    def decline(self, probabilities: np.ndarray, amounts: np.ndarray | None) -> np.ndarray:
        """Return whether to decline each payment, (N,) bool."""
        if self.policy == "threshold" or amounts is None:
            return probabilities >= self.threshold_
        loss, friction = probabilities * amounts, (1 - probabilities) * self.false_positive_cost
        return loss > friction

    def save(self, folder: Path) -> None:
        """Write the rule as `decision.json`."""
        write_json(folder / "decision.json", vars(self))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        values = json.loads((folder / "decision.json").read_text(encoding="utf-8"))
        threshold = values.pop("threshold_")
        decision = cls(**values)
        decision.threshold_ = threshold
        return decision


def _best_by_f1(probabilities: np.ndarray, labels: np.ndarray, weights: np.ndarray | None) -> float:
    """Return the threshold (p >= t) of the highest F1; of equals the highest."""
    each = np.ones(len(labels)) if weights is None else weights
    order = np.argsort(-probabilities, kind="stable")
    ordered, positive = probabilities[order], (labels * each)[order]
    ends = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)  # of equal runs
    found, said = np.cumsum(positive)[ends], np.cumsum(each[order])[ends]
    return float(ordered[ends[np.argmax(2 * found / (said + positive.sum()))]])


@dataclass(frozen=True)
class Money:
    """What a set of decisions cost and saved, in the currency of the amounts."""

    prevented: float  # amounts of frauds declined
    lost: float  # amounts of frauds let through
    friction: float  # genuine payments declined, times what one costs

    @property
    def saved(self) -> float:
        """Return what was gained over declining nothing."""
        return self.prevented - self.friction

    @property
    def saved_share(self) -> float:
        """Return `saved` over all that fraud would have cost: 1 is perfect, below 0 does harm."""
        fraud = self.prevented + self.lost
        return self.saved / fraud if fraud else 0.0


def gains(
    labels: np.ndarray,
    amounts: np.ndarray,
    declined: np.ndarray,
    *,
    false_positive_cost: float,
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """Return what deciding on each payment gained over accepting it (N,); together `saved`."""
    each = np.ones(len(labels)) if weights is None else weights
    return declined * np.where(labels == 1, amounts, -false_positive_cost) * each


def money(
    labels: np.ndarray,
    amounts: np.ndarray,
    declined: np.ndarray,
    *,
    false_positive_cost: float,
    weights: np.ndarray | None = None,
) -> Money:
    """Price the decisions on payments (N,), each standing for `weights` (N,) of them."""
    each = np.ones(len(labels)) if weights is None else weights
    fraud, loss = labels == 1, amounts * each
    return Money(
        prevented=float(loss[fraud & declined].sum()),
        lost=float(loss[fraud & ~declined].sum()),
        friction=float(each[declined & ~fraud].sum() * false_positive_cost),
    )


def card_precision(
    *,
    days: np.ndarray,
    customers: np.ndarray,
    labels: np.ndarray,
    scores: np.ndarray,
    k: int,
    remove_found: bool = False,
) -> np.ndarray:
    """Return CP@k of each day: compromised cards among the k highest-scored cards, over k.

    `remove_found` takes a card out of the following days once it was alerted and compromised, as
    the handbook does.
    """
    found: set[int] = set()
    shares = []
    for day in np.unique(days):
        rows = np.flatnonzero(days == day)
        if found:
            rows = rows[~np.isin(customers[rows], list(found))]
        cards, card_of_row = np.unique(customers[rows], return_inverse=True)
        score = np.full(len(cards), -np.inf)
        np.maximum.at(score, card_of_row, scores[rows])
        compromised = np.zeros(len(cards), dtype=bool)
        np.logical_or.at(compromised, card_of_row, labels[rows] == 1)
        top = np.argsort(-score, kind="stable")[:k]  # ties: lower card id
        hits = cards[top[compromised[top]]]
        shares.append(len(hits) / k)
        if remove_found:
            found.update(hits.tolist())
    return np.array(shares)
