"""The learning rate as a pure function of the step, so that resuming needs no scheduler state.

With T steps in all, W = warmup · T of them warming up, and p = (t − W) / (T − W) the share of the
rest that has passed, the base rate of each parameter group is multiplied by

    warm-up    (t + 1) / W                    for t < W
    constant   1
    linear     1 − p
    cosine     (1 + cos πp) / 2               Loshchilov & Hutter 2017, without restarts
    inverse-root  √(W / (t + 1))            Vaswani et al. 2017, § 5.3; without warm-up W is 1
    one-cycle  cosine up from 1/25 over W (30 % unless given), cosine down to 1/10,000
               Smith & Topin 2018; only the rate cycles here, the momentum stays.
"""

from __future__ import annotations

import math

SCHEDULES = ("constant", "cosine", "one-cycle", "linear", "inverse-root")
ONE_CYCLE_START, ONE_CYCLE_END, ONE_CYCLE_WARMUP = 1 / 25, 1e-4, 0.3


def rate_factor(schedule: str, step: int, total: int, warmup: float = 0.0) -> float:
    """Return the multiplier of the learning rate at `step`, counted from 0 to `total` - 1."""
    assert schedule in SCHEDULES, schedule
    if schedule == "one-cycle":
        return _one_cycle(step, total, warmup or ONE_CYCLE_WARMUP)
    warm = warmup * total
    if step < warm:
        return min(1.0, (step + 1) / warm)
    if schedule == "inverse-root":
        return min(1.0, math.sqrt(max(warm, 1.0) / (step + 1)))
    passed = (step - warm) / max(total - warm, 1)
    if schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * passed))
    return 1 - passed if schedule == "linear" else 1.0


def _one_cycle(step: int, total: int, warmup: float) -> float:
    peak = max(warmup * total, 1e-9)
    if step < peak:
        return _cosine_between(ONE_CYCLE_START, 1.0, step / peak)
    return _cosine_between(1.0, ONE_CYCLE_END, (step - peak) / max(total - 1 - peak, 1))


def _cosine_between(start: float, end: float, share: float) -> float:
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))
