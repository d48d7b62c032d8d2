"""What a run reached, in one sentence and in a few large figures, from the report's headline.

The sentence holds whatever came out: the served row above the baseline, below it or not clearly
either; the baseline itself served; no baseline, no interval, nothing measured. A difference counts
as clear if its interval leaves out zero: that of the paired difference where the evaluation made
one, else whether the two rows' own intervals are apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from common.evaluation.report import Estimate, Report, Row, Value, number


@dataclass(frozen=True)
class Large:
    """A large figure: what it is, the figure, its interval or unit, and a note below."""

    name: str
    figure: str
    beside: str = ""
    note: str = ""


def sentence(report: Report) -> str:
    """Return what was reached against the baseline, how fast it answers, and what the run cost."""
    return f"{_compared(report)}{_spent(report)}."


def large_figures(report: Report) -> list[Large]:
    """Return up to four: the metric, the baseline and the gain, the time of an answer, the cost."""
    found = []
    served, base = _served(report), _baseline(report)
    if served is not None:
        ours = _figure(served, report.metric)
        found.append(Large(report.metric, number(ours.value), _ends(ours), served.name))
    if served is not None and base is not None and base is not served:
        found.append(_large_gain(report, _figure(served, report.metric), base))
    if report.latency:
        whole = report.latency[-1]
        side = "within" if whole.within_budget else "over"
        note = f"median, {whole.stage}; p99 {whole.p99_ms:.2f}, {side} its {whole.budget_ms:g} ms"
        found.append(Large("time of an answer", f"{whole.p50_ms:.2f}", "ms", note))
    if report.cost is not None:
        found.append(Large("the command", report.cost.time, "s", report.cost.memory))
    return found


def _large_gain(report: Report, ours: Estimate, base: Row) -> Large:
    theirs = _figure(base, report.metric)
    gain = _gain(report) or Estimate(ours.value - theirs.value)
    sign = "+" if gain.value > 0 else ""
    note = f"{base.name} has {number(theirs.value)}"
    return Large("against the baseline", f"{sign}{number(gain.value)}", _ends(gain), note)


def _compared(report: Report) -> str:
    """Say what was reached; a clause without its end."""
    served, base = _served(report), _baseline(report)
    if not report.tables:
        return f"{report.name} measured nothing"
    if served is None:
        return f"{report.name} has no figure to compare with a baseline"
    ours = _figure(served, report.metric)
    reached = f"reaches {report.metric} {_in_words(ours)}"
    if served is base:
        return f"The baseline, “{served.name}”, is what is served: it {reached}"
    reached = f"What is served, “{served.name}”, {reached}"
    if base is None:
        return f"{reached}, with no baseline to compare it with"
    theirs = _figure(base, report.metric)
    return f"{reached}, {_difference(_gain(report), ours, theirs, base.name)}"


def _difference(gain: Estimate | None, ours: Estimate, theirs: Estimate, name: str) -> str:
    """Say how far what is served lies from the baseline, and whether that may be chance."""
    paired = gain is not None and _has_interval(gain)
    said = number(theirs.value) if paired else _in_words(theirs)
    baseline = f"the baseline, “{name}” ({said})"
    change = ours.value - theirs.value if gain is None else gain.value
    if not change:
        return f"as much as {baseline}"
    side = "above" if change > 0 else "below"
    if gain is not None and paired:
        clear = gain.low > 0 or gain.high < 0  # type: ignore[operator]
        size = _in_words(gain if change > 0 else _negative(gain))
        how = f"{size} {side} {baseline}"
        return how if clear else f"not clearly {side} {baseline}: by {size}"
    if not (_has_interval(ours) and _has_interval(theirs)):
        return f"{number(abs(change))} {side} {baseline}, without an interval"
    apart = ours.low > theirs.high or ours.high < theirs.low  # type: ignore[operator]
    how = f"{number(abs(change))} {side} {baseline}"
    return f"{how}; the two intervals {'are apart' if apart else 'overlap'}"


def _spent(report: Report) -> str:
    said = ""
    if report.latency:
        said += f"; it answers in {report.latency[-1].p50_ms:.2f} ms (median)"
    if report.cost is not None:
        said += f"; the command took {report.cost.in_words()}"
    return said


def _gain(report: Report) -> Estimate | None:
    """Return the paired difference, if it is a figure."""
    return report.gain if _is_figure(report.gain) else None


def _served(report: Report) -> Row | None:
    """Return the row that serves, if the metric was measured for it."""
    return _row(report, lambda row: row.name == report.served)


def _baseline(report: Report) -> Row | None:
    return _row(report, lambda row: row.baseline)


def _row(report: Report, wanted: Callable[[Row], bool]) -> Row | None:
    rows = report.tables[0].rows if report.tables else ()
    for row in rows:
        if wanted(row) and _is_figure(row.values.get(report.metric)):
            return row
    return None


def _is_figure(value: Value) -> bool:
    if value is None or isinstance(value, str):
        return False
    return math.isfinite(value.value if isinstance(value, Estimate) else value)


def _figure(row: Row, metric: str) -> Estimate:
    value = row.values[metric]
    assert value is not None and not isinstance(value, str)
    return value if isinstance(value, Estimate) else Estimate(float(value))


def _has_interval(value: Estimate) -> bool:
    ends = (value.low, value.high)
    return all(each is not None and math.isfinite(each) for each in ends)


def _ends(value: Estimate) -> str:
    return value.interval if _has_interval(value) else ""


def _in_words(value: Estimate) -> str:
    return f"{number(value.value)} {_ends(value)}".rstrip()


def _negative(value: Estimate) -> Estimate:
    assert value.low is not None and value.high is not None
    return Estimate(-value.value, -value.high, -value.low)
