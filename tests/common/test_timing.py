"""Milliseconds by stage: repeated stages add up, and an error does not lose the time spent."""

import pytest

from common import timing
from common.timing import StageTimes


def test_stages_add_up_in_the_order_of_their_first_use(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 0.001, 1.0, 1.002, 2.0, 2.0045])
    monkeypatch.setattr(timing.time, "perf_counter", lambda: next(clock))
    times = StageTimes()
    with times("b"):
        pass
    with times("a"):
        pass
    with pytest.raises(ValueError, match="inside"), times("b"):
        raise ValueError("inside")
    assert times.milliseconds == {"b": 5.5, "a": 2.0}
    assert list(times.milliseconds) == ["b", "a"]
