"""Rules an analyst would write: the baseline, and the fallback when the model fails.

Box "rules". Each rule is a comparison, or an "and" of two, on features that the model also sees.
`fit` measures how often each rule is right and takes that precision as its score,

    score(payment) = max over rules that hit of  (frauds hit + 1) / (payments hit + 1 / base rate)

which shrinks a rule that hit little towards the base rate of fraud; where nothing hits the score is
the share of fraud among payments that no rule hits. So the rules give a probability of sorts, can
be ranked and thresholded like a model, and every score has its reason in words.

Shapes: `N` payments, `F` features, `R` rules.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np

from common.atomic import write_json
from patterns.fraud.stages.models.base import Examples

NO_LIMIT = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Rule:
    """Hits where `feature` is above `limit` (and `also` above `also_limit`, if given)."""

    code: str
    feature: str
    limit: float
    reason: str
    also: str | None = None
    also_limit: float = 0.0

    def hits(self, features: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
        """Return whether the rule hits each row of features (N, F), (N,) bool."""
        hit = features[:, names.index(self.feature)] > self.limit
        if self.also is not None:
            hit &= features[:, names.index(self.also)] > self.also_limit
        return hit


def standard_rules(amount_limit: float) -> tuple[Rule, ...]:
    """Return the default rules; hardly any genuine payment exceeds `amount_limit`."""
    return (
        Rule("AMOUNT_LIMIT", "amount", amount_limit, "amount above the limit"),
        Rule(
            "AMOUNT_HABIT",
            "amount_ratio",
            2.5,
            "amount far above the customer's 30-day mean",
            also="customer_count_30d",
            also_limit=4,
        ),
        Rule(
            "TERMINAL_RISK",
            "terminal_risk_7d",
            0.5,
            "most of the terminal's payments a week ago were fraud",
            also="terminal_count_7d",
            also_limit=1,
        ),
        Rule(
            "TERMINAL_FRAUD",
            "terminal_risk_30d",
            0.0,
            "the terminal had a confirmed fraud lately",
        ),
        Rule("VELOCITY", "customer_count_1h", 4, "many payments of the customer within an hour"),
    )


class Rules:
    """A list of rules, each with its measured precision.

    Learned attributes: `rules_`, their `precision_` (R,), and `rest_` where none hits.
    """

    def __init__(
        self,
        *,
        names: tuple[str, ...],
        amount_quantile: float = 0.9999,
        rules: tuple[Rule, ...] = (),
    ) -> None:
        """Name the columns of the features; `rules` replace the default ones.

        `amount_quantile` of the genuine amounts is the limit of the default rules.
        """
        self.names = names
        self.amount_quantile = amount_quantile
        self.rules = rules

    def fit(
        self, train: Examples, valid: Examples | None = None, weights: np.ndarray | None = None
    ) -> Self:
        """Set the limit and measure each rule's precision; `valid` and `weights` are not needed."""
        features, labels = train
        self.rules_ = self.rules or self._standard(features[labels == 0])
        base = max(float(labels.mean()), 1e-6)
        hits = self._hits(features)  # (N, R)
        frauds = (hits & (labels == 1)[:, None]).sum(0)
        self.precision_ = (frauds + 1.0) / (hits.sum(0) + 1.0 / base)  # (R,)
        rest = labels[~hits.any(1)]
        self.rest_ = float((rest.sum() + base) / (rest.size + 1.0))
        return self

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Return the probability of fraud of each row (N,): of the best rule that hits."""
        by_rule = np.where(self._hits(features), self.precision_, self.rest_)  # (N, R)
        return by_rule.max(1, initial=self.rest_)

    def reasons(self, features: np.ndarray) -> list[list[Rule]]:
        """Return the rules that hit each row, the most precise first."""
        order = np.argsort(-self.precision_, kind="stable")
        return [[self.rules_[r] for r in order if hit[r]] for hit in self._hits(features)]

    def table(self, features: np.ndarray, labels: np.ndarray) -> dict[str, tuple[int, int]]:
        """Return by its code the payments and the frauds that each rule hits."""
        hits = self._hits(features)
        return {
            rule.code: (int(hits[:, r].sum()), int(labels[hits[:, r]].sum()))
            for r, rule in enumerate(self.rules_)
        }

    def _standard(self, genuine: np.ndarray) -> tuple[Rule, ...]:
        """Return the default rules whose features there are, for genuine payments (N, F)."""
        limit = NO_LIMIT
        if genuine.size and "amount" in self.names:
            amounts = genuine[:, self.names.index("amount")]
            limit = float(np.quantile(amounts, self.amount_quantile))
        needed = {rule: {rule.feature, rule.also or rule.feature} for rule in standard_rules(limit)}
        return tuple(rule for rule, features in needed.items() if features <= set(self.names))

    def _hits(self, features: np.ndarray) -> np.ndarray:
        """Return whether each rule hits each row, (N, R) bool."""
        hits = [rule.hits(features, self.names) for rule in self.rules_]
        return np.stack(hits, axis=1) if hits else np.zeros((len(features), 0), dtype=bool)

    def save(self, folder: Path) -> None:
        """Write rules and precisions as `rules.json`."""
        values = {
            "amount_quantile": self.amount_quantile,
            "names": list(self.names),
            "given": [asdict(rule) for rule in self.rules],
            "rules": [asdict(rule) for rule in self.rules_],
            "precision": self.precision_.tolist(),
            "rest": self.rest_,
        }
        write_json(folder / "rules.json", values)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        values = json.loads((folder / "rules.json").read_text(encoding="utf-8"))
        rules = cls(
            names=tuple(values["names"]),
            amount_quantile=values["amount_quantile"],
            rules=tuple(Rule(**rule) for rule in values["given"]),
        )
        rules.rules_ = tuple(Rule(**rule) for rule in values["rules"])
        rules.precision_ = np.array(values["precision"])
        rules.rest_ = values["rest"]
        return rules
