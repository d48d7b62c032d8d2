"""Latency: single calls, warm, quantiles of the tail, held against a budget."""

import time

import pytest

from common.evaluation.latency import Latency, from_seconds, measure


def test_every_input_is_timed_once_after_the_warm_up() -> None:
    seen: list[str] = []
    found = measure("ranking", seen.append, ["a", "b", "c"], budget_ms=10, warm_up=4)
    assert seen == ["a", "b", "c", "a", "a", "b", "c"]
    assert found.stage == "ranking" and found.samples == 3 and found.budget_ms == 10


def test_the_first_slow_calls_do_not_count() -> None:
    calls = iter([0.05, 0.05] + [0.0] * 50)
    found = measure("x", lambda _: time.sleep(next(calls)), range(50), budget_ms=50, warm_up=2)
    assert found.p50_ms < 30


def test_quantiles_are_those_of_the_times_in_milliseconds() -> None:
    found = from_seconds("x", (number / 1000 for number in range(101)), budget_ms=99)
    assert (found.p50_ms, found.p95_ms, found.p99_ms) == pytest.approx((50, 95, 99))
    assert found.samples == 101


@pytest.mark.parametrize(("budget", "within"), [(9.0, False), (10.0, True), (11.0, True)])
def test_the_budget_binds_the_p99(budget: float, within: bool) -> None:
    assert Latency("x", 1.0, 5.0, 10.0, budget, 3).within_budget is within


def test_an_order_of_quantiles() -> None:
    found = measure("x", lambda n: sum(range(n)), list(range(300)), budget_ms=1000)
    assert 0 <= found.p50_ms <= found.p95_ms <= found.p99_ms


def test_nothing_to_time_is_refused() -> None:
    with pytest.raises(ValueError, match="ranking: no inputs to time; give at least one request"):
        measure("ranking", print, [], budget_ms=1)
    with pytest.raises(ValueError, match="ranking: no times were taken"):
        from_seconds("ranking", [], budget_ms=1)
