"""Who answers when the served model fails: the rules, or a model where they are no help.

A payment needs an answer now, so whatever the served variant raises, and whatever it gives that is
no probability, the fallback answers instead, and the answer says so.

Shapes: `N` payments, `F` features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from patterns.fraud.entities.payments import Payments
from patterns.fraud.stages.variant import Variant

MOST_DECLINED = 0.5  # of genuine payments: who declines more is no fallback


@dataclass(frozen=True)
class Scores:
    """Answers for `N` payments."""

    probabilities: np.ndarray  # (N,)
    declined: np.ndarray  # (N,) bool
    by: str  # name of the variant that answered
    fallback: str | None = None  # why another answered instead of the model


def settle_fallback(
    served: Variant,
    rules: Variant,
    models: Sequence[Variant],
    features: np.ndarray,
    valid: Payments,
) -> tuple[Variant, list[str]]:
    """Return what answers when `served` fails, and what must be said, on validation (N, F).

    The rules, unless they decline nobody or most genuine payments: then the first of `models`
    that is another.
    """
    genuine, notices = valid.labels == 0, []

    def declined(variant: Variant) -> np.ndarray:
        return variant.decision.decline(variant.probabilities(features), valid.amounts)

    if (share := declined(served)[genuine].mean()) > MOST_DECLINED:
        notices.append(
            f"At these costs {served.name} declines {share:.0%} of the genuine payments of"
            " validation; give declining one a higher cost if that is too many."
        )
    hit = declined(rules)
    if hit.any() and hit[genuine].mean() <= MOST_DECLINED:
        return rules, notices
    other = next(model for model in models if model is not served)
    notices.append(
        f"The rules decline {hit[genuine].mean():.0%} of the genuine payments of validation and"
        f" {hit[~genuine].mean():.0%} of the frauds, so {other.name} answers when {served.name}"
        " fails."
    )
    return other, notices


def answer(
    served: Variant, fallback: Variant, features: np.ndarray, amounts: np.ndarray | None
) -> Scores:
    """Decide on payments (N, F) of amounts (N,) by `served`, or by `fallback` if that fails."""
    chosen, reason = served, None
    try:
        probabilities = served.probabilities(features)
        if not np.all((probabilities >= 0) & (probabilities <= 1)):
            raise ArithmeticError("the model gave something that is no probability")
    except Exception as problem:  # whatever it is, a payment needs an answer now
        reason = f"{type(problem).__name__}: {problem}"
        chosen, probabilities = fallback, fallback.probabilities(features)
    declined = chosen.decision.decline(probabilities, amounts)
    return Scores(probabilities, declined, chosen.name, reason)
