"""Rules an analyst would write: the baseline, and the fallback when the model fails.

Box "rules". Each rule is one comparison on features that the model also sees. `fit` measures how
often each rule is right and takes that precision as its score,

    score(payment) = max over rules that hit of  (frauds hit + 1) / (payments hit + 1 / base rate)

which shrinks a rule that hit little towards the base rate of fraud; where nothing hits the score is
the share of fraud among payments that no rule hits. So the rules give a probability of sorts, can
be ranked and thresholded like a model, and every score has its reason in words.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np


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
        """Whether the rule hits each row of features (N, F)."""
        hit = features[:, names.index(self.feature)] > self.limit
        if self.also is not None:
            hit &= features[:, names.index(self.also)] > self.also_limit
        return hit


def standard_rules(amount_limit: float) -> tuple[Rule, ...]:
    """The default rules; `amount_limit` is the amount that hardly any genuine payment exceeds."""
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
    """A list of rules, each with its measured precision."""

    def __init__(self, *, amount_quantile: float = 0.9999, rules: tuple[Rule, ...] = ()) -> None:
        """`amount_quantile` of genuine amounts is the limit; `rules` replace the default ones."""
        self.amount_quantile = amount_quantile
        self.rules_ = rules

    def fit(self, features: np.ndarray, labels: np.ndarray, names: tuple[str, ...]) -> Rules:
        """Set the limit and measure each rule's precision on training rows (N, F), (N,)."""
        genuine = features[labels == 0, names.index("amount")]
        if not self.rules_:
            limit = float(np.quantile(genuine, self.amount_quantile)) if genuine.size else np.inf
            known = (r for r in standard_rules(limit) if r.feature in names)
            self.rules_ = tuple(r for r in known if r.also is None or r.also in names)
        self.names_ = names
        base = max(float(labels.mean()), 1e-6)
        hits = self._hits(features)  # (N, R)
        frauds = (hits & (labels == 1)[:, None]).sum(0)
        self.precision_ = (frauds + 1.0) / (hits.sum(0) + 1.0 / base)  # (R,)
        rest = labels[~hits.any(1)]
        self.rest_ = float((rest.sum() + base) / (rest.size + 1.0))
        return self

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Probability of fraud of each row (N,): of the best rule that hits."""
        return np.where(self._hits(features), self.precision_, self.rest_).max(
            1, initial=self.rest_
        )

    def reasons(self, features: np.ndarray) -> list[list[Rule]]:
        """The rules that hit each row, the most precise first."""
        order = np.argsort(-self.precision_, kind="stable")
        return [[self.rules_[r] for r in order if hit[r]] for hit in self._hits(features)]

    def table(self, features: np.ndarray, labels: np.ndarray) -> dict[str, tuple[int, int]]:
        """Payments and frauds that each rule hits, by its code."""
        hits = self._hits(features)
        return {
            rule.code: (int(hits[:, r].sum()), int(labels[hits[:, r]].sum()))
            for r, rule in enumerate(self.rules_)
        }

    def _hits(self, features: np.ndarray) -> np.ndarray:
        """(N, R) bool."""
        return np.stack([rule.hits(features, self.names_) for rule in self.rules_], axis=1)

    def save(self, path: Path) -> None:
        """Write rules and precisions as JSON."""
        values = {
            "amount_quantile": self.amount_quantile,
            "rules": [asdict(rule) for rule in self.rules_],
            "names": list(self.names_),
            "precision": self.precision_.tolist(),
            "rest": self.rest_,
        }
        path.write_text(json.dumps(values, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Rules:
        """Read what `save` wrote."""
        values = json.loads(path.read_text(encoding="utf-8"))
        rules = cls(
            amount_quantile=values["amount_quantile"],
            rules=tuple(Rule(**rule) for rule in values["rules"]),
        )
        rules.names_ = tuple(values["names"])
        rules.precision_ = np.array(values["precision"])
        rules.rest_ = values["rest"]
        return rules
