"""What is served: the one that validation prefers, a learned one or a simpler one.

A learned model is no better by being learned. With few examples, or with labels of one kind alone,
it often loses to the baseline that it should improve, so all are compared by one measure on
validation, and the best is served; of equals the simplest. Where that is not the learned one, the
user is told, with both values.
"""

from __future__ import annotations

from collections.abc import Mapping


def preferred(
    scores: Mapping[str, float],
    learned: str,
    *,
    measure: str,
    told: str = "{served} is served, not {learned}",
) -> tuple[str, str | None]:
    """Return the name of the best, ties to the first, and what to say if it is not `learned`.

    `scores` holds the value of each by `measure`, such as "NDCG@10 on validation": the simplest
    first, higher is better. `told` begins the sentence and may name both.
    """
    assert learned in scores, learned
    served = max(scores, key=lambda name: scores[name])
    if served == learned:
        return served, None
    best, other = scores[served], scores[learned]
    both = f"{best:.4f} against {other:.4f}" if best > other else f"{best:.4f} for both"
    return served, f"{told.format(served=served, learned=learned)}: {measure} is {both}."
