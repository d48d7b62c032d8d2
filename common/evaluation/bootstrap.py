"""How far a figure can be trusted: bootstrap intervals and paired differences.

A test set is one draw of many possible ones. The bootstrap redraws it: resample its rows with
replacement, compute the figure again, and take the middle share of the results as the interval
(percentile method). Two models on the same rows are compared on resampled differences, row by row:
what makes a query hard for both cancels, so the paired interval is far narrower than two apart.

The unit that is resampled must be the independent one: queries or users, not their candidate rows.
`interval` and `paired_difference` take one value per unit; `interval_of` takes any function of
whole arrays (AUC, mAP) and may resample whole `groups`, or within `strata` so that a rare class
never dies out. Source: Efron and Tibshirani, An Introduction to the Bootstrap, ch. 13; for groups:
Davison and Hinkley, Bootstrap Methods, 3.8.

Shapes: N units, S resamples.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from common.evaluation.checks import Floats, Integers, not_empty, numbers, same_length, share, whole

_CELLS = 1 << 21  # resampled values held at once: 16 MB


class Difference(NamedTuple):
    """Mean of a - b with its interval."""

    value: float
    low: float
    high: float
    above: float
    """Share of resamples in which a's mean is above b's; ties count half."""


def interval(
    values: ArrayLike,
    *,
    statistic: Callable[..., Any] = np.mean,
    samples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile interval (low, high) of a statistic of per-unit values (N,).

    `statistic` takes an array and `axis=1` (np.mean, np.median, a partial of np.quantile). One
    value gives an interval of no width; none, or a NaN, raises.
    """
    values = numbers("values", values)
    not_empty("values", values)
    return _percentiles(_resampled(values, statistic, whole("samples", samples), seed), level)


def paired_difference(
    a: ArrayLike, b: ArrayLike, *, samples: int = 1000, level: float = 0.95, seed: int = 0
) -> Difference:
    """Mean of a - b over the same units (N,), with its interval; an interval above 0 favours a."""
    a, b = numbers("a", a), numbers("b", b)
    same_length(a=a, b=b)
    not_empty("a", a)
    means = _resampled(a - b, np.mean, whole("samples", samples), seed)
    low, high = _percentiles(means, level)
    above = float(np.mean(means > 0) + 0.5 * np.mean(means == 0))
    return Difference(float(np.mean(a - b)), low, high, above)


def interval_of(
    function: Callable[..., float],
    *arrays: ArrayLike,
    samples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
    groups: ArrayLike | None = None,
    strata: ArrayLike | None = None,
) -> tuple[float, float]:
    """Percentile interval of `function(*arrays)`, all arrays resampled by the same rows.

    `groups` (N,) resamples whole groups, `strata` (N,) within each stratum; at most one of them. A
    resample on which the function raises ends the run with its error: pass `strata=labels` where a
    class is rare.
    """
    rows = [np.asarray(array) for array in arrays]
    if not rows:
        raise ValueError("interval_of needs at least one array to resample")
    count = same_length(**{f"array {number}": array for number, array in enumerate(rows)})
    not_empty("array 0", rows[0])
    draw = _drawer(count, groups, strata)
    rng = np.random.default_rng(seed)
    results = np.empty(whole("samples", samples))
    for sample in range(samples):
        drawn = draw(rng)
        results[sample] = function(*(array[drawn] for array in rows))
    return _percentiles(numbers("function's results", results), level)


def _resampled(values: Floats, statistic: Callable[..., Any], samples: int, seed: int) -> Floats:
    """Statistic of each of `samples` resamples (S,), in chunks that bound the memory."""
    rng = np.random.default_rng(seed)
    chunk = max(1, _CELLS // len(values))
    results = np.empty(samples)
    for start in range(0, samples, chunk):
        size = (min(chunk, samples - start), len(values))
        drawn = rng.integers(len(values), size=size, dtype=np.int32)  # (s, N)
        results[start : start + chunk] = statistic(values[drawn], axis=1)
    return results


def _percentiles(results: Floats, level: float) -> tuple[float, float]:
    tail = (1.0 - share("level", level)) / 2.0
    low, high = np.quantile(results, [tail, 1.0 - tail])
    return float(low), float(high)


def _drawer(
    count: int, groups: ArrayLike | None, strata: ArrayLike | None
) -> Callable[[np.random.Generator], Integers]:
    """A function that draws the row numbers of one resample."""
    if groups is not None and strata is not None:
        raise ValueError("groups and strata are both given: pass one of them")
    if groups is None and strata is None:
        return lambda rng: rng.integers(count, size=count)
    name, keys = ("groups", groups) if groups is not None else ("strata", strata)
    keys = np.asarray(keys)
    same_length(**{"array 0": range(count), name: keys})
    _, key_of_row, sizes = np.unique(keys, return_inverse=True, return_counts=True)
    by_key = np.argsort(key_of_row, kind="stable")
    starts = np.cumsum(sizes) - sizes
    if groups is None:
        first, size = (
            np.repeat(starts, sizes),
            np.repeat(sizes, sizes),
        )  # (N,) of each row's stratum
        return lambda rng: by_key[first + rng.integers(size)]

    def draw_groups(rng: np.random.Generator) -> Integers:
        drawn = rng.integers(len(sizes), size=len(sizes))
        ends = np.cumsum(sizes[drawn])
        within = np.arange(ends[-1]) - np.repeat(ends - sizes[drawn], sizes[drawn])
        return by_key[np.repeat(starts[drawn], sizes[drawn]) + within]

    return draw_groups
