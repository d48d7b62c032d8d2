"""How long does one query take, stage by stage?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from common.evaluation import latency
from patterns.search_ranking.pipeline import PAGE, Pipeline

# The textbook's three boxes; reasons come on top, and the whole is the sum.
BUDGETS_MS = {
    "candidates": 10.0,
    "ranking": 100.0,
    "re-ranking": 10.0,
    "reasons": 30.0,
    "all": 150.0,
}
TIMED = 300  # queries

T = TypeVar("T")


def latencies(pipeline: Pipeline, texts: Sequence[str]) -> list[latency.Latency]:
    """Time single queries stage by stage, on one thread, the query's encoding included."""
    from threadpoolctl import threadpool_limits

    p = pipeline
    singles = [(text,) for text in texts[:TIMED]]
    encoded = [p.encode(single) for single in singles]
    found = [(query, p.found(query, PAGE).candidates) for query in encoded]
    ranked = [(query, p.order(query, candidates)) for query, candidates in found]
    pages = [(query, p.rerank(query, order, PAGE).item_ids[0]) for query, order in ranked]
    with threadpool_limits(1):
        return [
            _measure("candidates", lambda single: p.found(p.encode(single), PAGE), singles),
            _measure("ranking", lambda pair: p.order(*pair), found),
            _measure("re-ranking", lambda pair: p.rerank(*pair, PAGE), ranked),
            _measure("reasons", lambda pair: p.explain(*pair), pages),
            _measure("all", lambda single: p.search(single, PAGE), singles),
        ]


def _measure(stage: str, call: Callable[[T], object], inputs: Sequence[T]) -> latency.Latency:
    return latency.measure(stage, call, inputs, budget_ms=BUDGETS_MS[stage])
