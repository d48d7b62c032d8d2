"""Expanding windows over the payments before the test: in each, train, wait, tune, judge.

    fold 1   | train             | wait | tune | judge                         |
    fold 2   | train                      | wait | tune | judge                |
    fold 3   | train                               | wait | tune | judge       |

The wait is the time that labels take. Payments without a time are cut by chance instead. Source:
Hyndman and Athanasopoulos, Forecasting, 5.10.

Shapes: `N` payments before the test.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from common.evaluation.splits import expanding_window, stratified_k_fold


@dataclass(frozen=True)
class Fold:
    """Rows of one expanding window: to fit on, to tune on, to judge by."""

    train: np.ndarray
    tune: np.ndarray
    judge: np.ndarray


def make_folds(
    labels: np.ndarray, times: np.ndarray | None, *, count: int, delay: int, seed: int = 0
) -> list[Fold]:
    """Return `count` folds of payments with labels and times (N,), as drawn above.

    Without times they are drawn by chance. A fold lacking fraud in any of its parts is left out.
    """
    found = _by_chance(labels, count, seed) if times is None else _in_time(times, count, delay)
    return [
        fold
        for fold in found
        if all(0 < labels[rows].sum() < len(rows) for rows in (fold.train, fold.tune, fold.judge))
    ]


def _in_time(times: np.ndarray, count: int, delay: int) -> list[Fold]:
    """Return expanding windows over `times` (N,), with a wait of `delay` if there is time for it.

    The first begins in the middle: a model fitted on much less than at the end would be another.
    """
    order = np.argsort(times, kind="stable")
    for gap in (delay, 0):
        try:
            pairs = expanding_window(times, 2 * count - 1, gap=gap)[-count:]
        except ValueError:  # too few moments, or a wait that leaves nothing to train on
            continue
        begins = [int(np.searchsorted(times[order], times[after].min())) for _, after in pairs]
        halves = [begin + len(after) // 2 for begin, (_, after) in zip(begins, pairs, strict=True)]
        return [
            Fold(past, order[begin:half], order[half:])
            for (past, _), begin, half in zip(pairs, begins, halves, strict=True)
        ]
    return []


def _by_chance(labels: np.ndarray, count: int, seed: int) -> list[Fold]:
    """Return folds of a cross-validation over `labels` (N,); none for too few frauds."""
    least = min(int(labels.sum()), int((labels == 0).sum()))
    if least < 2:
        return []
    pairs = stratified_k_fold(labels, min(max(count, 2), least), seed=seed)[:count]
    halves = ((past, after, len(after) // 2) for past, after in pairs)
    return [Fold(past, after[:half], after[half:]) for past, after, half in halves]
