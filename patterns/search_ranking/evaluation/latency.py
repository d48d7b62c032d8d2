"""How long does one query take, stage by stage?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from common.evaluation import latency
from patterns.search_ranking.pipeline import Pipeline
from patterns.search_ranking.stages.lists import PAGE

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

    p, lists = pipeline, pipeline.lists
    singles = [(text,) for text in texts[:TIMED]]
    encoded = [p.encode(single) for single in singles]
    found = [(query, lists.found(query, PAGE).candidates) for query in encoded]
    ranked = [(query, lists.order(query, candidates)) for query, candidates in found]
    reranked = [(query.texts, order, PAGE) for query, order in ranked]
    pages = [(query, p.reranker.rerank(query.texts, order, PAGE)) for query, order in ranked]
    with threadpool_limits(1):
        return [
            _measure("candidates", lambda single: lists.found(p.encode(single), PAGE), singles),
            _measure("ranking", lambda pair: lists.order(*pair), found),
            _measure("re-ranking", lambda given: p.reranker.rerank(*given), reranked),
            _measure("reasons", lambda pair: p.reasons.tell(*pair), pages),
            _measure("all", lambda single: p.search(single, PAGE), singles),
        ]


def _measure(stage: str, call: Callable[[T], object], inputs: Sequence[T]) -> latency.Latency:
    return latency.measure(stage, call, inputs, budget_ms=BUDGETS_MS[stage])
