"""Latency: single calls, warm, quantiles of the tail, held against a budget."""

from collections.abc import Callable, Iterable
from types import SimpleNamespace

import pytest

from common.evaluation import latency
from common.evaluation.latency import Latency, from_seconds, measure


@pytest.fixture
def lasting(monkeypatch: pytest.MonkeyPatch) -> Callable[[Iterable[float]], Callable[..., None]]:
    """Return a maker of calls that last as told, by a clock that only they move."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(latency, "time", SimpleNamespace(perf_counter=lambda: clock.now))

    def make(seconds: Iterable[float]) -> Callable[..., None]:
        left = iter(seconds)

        def call(_: object) -> None:
            clock.now += next(left)

        return call

    return make


def test_every_input_is_timed_once_after_the_warm_up() -> None:
    seen: list[str] = []
    found = measure("ranking", seen.append, ["a", "b", "c"], budget_ms=10, warm_up=4)
    assert seen == ["a", "b", "c", "a", "a", "b", "c"]
    assert found.stage == "ranking" and found.samples == 3 and found.budget_ms == 10


def test_the_warm_up_is_not_timed(lasting) -> None:
    found = measure("x", lasting([7.0, 7.0, 0.25, 0.5, 0.75]), range(3), budget_ms=50, warm_up=2)
    assert found.p50_ms == 500 and 740 < found.p99_ms < 750


def test_each_call_is_timed_by_itself(lasting) -> None:
    found = measure("x", lasting([0.0, 1.0] * 50 + [0.0]), range(101), budget_ms=50, warm_up=0)
    assert (found.p50_ms, found.p95_ms, found.p99_ms) == (0, 1000, 1000)


def test_quantiles_are_those_of_the_times_in_milliseconds() -> None:
    found = from_seconds("x", (number / 1000 for number in range(101)), budget_ms=99)
    assert (found.p50_ms, found.p95_ms, found.p99_ms) == pytest.approx((50, 95, 99))
    assert found.samples == 101


@pytest.mark.parametrize(("budget", "within"), [(9.0, False), (10.0, True), (11.0, True)])
def test_the_budget_binds_the_p99(budget: float, within: bool) -> None:
    assert Latency("x", 1.0, 5.0, 10.0, budget, 3).within_budget is within


def test_nothing_to_time_is_refused() -> None:
    with pytest.raises(ValueError, match="ranking: no inputs to time; give at least one request"):
        measure("ranking", print, [], budget_ms=1)
    with pytest.raises(ValueError, match="ranking: no times were taken"):
        from_seconds("ranking", [], budget_ms=1)
