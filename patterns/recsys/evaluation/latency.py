"""How long does one request take, stage by stage?"""

from __future__ import annotations

import time

from common.evaluation import latency
from patterns.recsys.entities.requests import Requests
from patterns.recsys.evaluation.scorer import PAGE
from patterns.recsys.pipeline import Pipeline

BUDGETS_MS = {"candidates": 10.0, "ranking": 9.0, "re-ranking": 1.0, "all": 20.0}
TIMED, WARM_UP = 200, 20  # requests


def latencies(pipeline: Pipeline, requests: Requests) -> list[latency.Latency]:
    """Time single requests, warm, on one thread; the stages by the pipeline's own clock."""
    from threadpoolctl import threadpool_limits

    singles = [requests.part(slice(row, row + 1)) for row in range(min(len(requests), TIMED))]
    seconds: dict[str, list[float]] = {name: [] for name in BUDGETS_MS}
    with threadpool_limits(1):
        for single in singles[:WARM_UP]:
            pipeline.recommend(single, PAGE)
        for single in singles:
            start = time.perf_counter()
            found = pipeline.recommend(single, PAGE)
            seconds["all"].append(time.perf_counter() - start)
            for name, milliseconds in found.milliseconds.items():
                seconds[name].append(milliseconds / 1000)
    return [
        latency.from_seconds(name, seconds[name], budget_ms=budget)
        for name, budget in BUDGETS_MS.items()
    ]
