"""Which list orders the page: the one that validation prefers, the ranker's or a simpler one.

A learned ranker is no better by being learned. With few judgments, or with judgments of relevant
documents alone, it often loses to the list that it reorders, so all lists are compared end to end,
the whole corpus searched, and the best is served.
"""

from __future__ import annotations

from collections.abc import Mapping


def preferred(ndcgs: Mapping[str, float], learned: str) -> tuple[str, str | None]:
    """Return the name of the best list, ties to the first, and what to say if it is not `learned`.

    `ndcgs` holds the NDCG@10 of each list on validation, the simplest first.
    """
    served = max(ndcgs, key=lambda name: ndcgs[name])
    if served == learned:
        return served, None
    best, other = ndcgs[served], ndcgs[learned]
    both = f"{best:.4f} against {other:.4f}" if best > other else f"{best:.4f} for both"
    return served, (
        f"Pages are ordered by {served}, not by the ranker: NDCG@10 on validation is {both}."
    )
