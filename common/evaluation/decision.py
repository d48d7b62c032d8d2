"""Where should the alarm go off: the threshold on a score that costs least.

The default of 0.5 is right only if a missed positive costs as much as a false alarm. Given what
each mistake costs, per row if need be (a missed fraud costs its amount), one pass over the rows in
score order prices every threshold:

    cost(t) = Σ_{y=0, s≥t} false-positive cost + Σ_{y=1, s<t} false-negative cost

With a calibrated probability and constant costs the best threshold is FP / (FP + FN), without
looking at data; searching it on validation rows needs neither. Source: Elkan, The Foundations of
Cost-Sensitive Learning, IJCAI 2001.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from common.evaluation.checks import Floats, Integers, numbers, scored

Cost = float | ArrayLike


class CostCurve(NamedTuple):
    """Total cost of every distinct threshold, fewest alarms first."""

    alarms: Integers
    """Rows at or above the threshold, from 0 to N."""
    cost: Floats
    thresholds: Floats


class Threshold(NamedTuple):
    """The cheapest decision rule "alarm at score ≥ threshold", and what the alternatives cost."""

    threshold: float
    cost: float
    cost_never: float
    """Total cost of never raising an alarm."""
    cost_always: float
    """Total cost of always raising it."""
    alarms: int
    """Rows at or above the threshold."""


def cost_curve(
    labels: ArrayLike,
    scores: ArrayLike,
    *,
    false_positive: Cost,
    false_negative: Cost,
) -> CostCurve:
    """Total cost for every threshold that tells the scores apart, from no alarm to all alarms.

    Costs are one number, or one per row (N,): a missed fraud costs its amount. Rows of equal score
    are alarmed on together.
    """
    positive, scores = scored(labels, scores, both=False)
    alarm_cost = _costs("false_positive", false_positive, len(scores)) * ~positive
    miss_cost = _costs("false_negative", false_negative, len(scores)) * positive
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    cost = miss_cost.sum() + np.append(0.0, np.cumsum((alarm_cost - miss_cost)[order]))  # (N + 1,)
    alarms = np.append(0, np.flatnonzero(np.append(np.diff(ordered) != 0, True)) + 1)
    none = np.nextafter(ordered[0], np.inf)  # the smallest threshold above every score
    return CostCurve(alarms, cost[alarms], np.append(none, ordered[alarms[1:] - 1]))


def best_threshold_by_cost(
    labels: ArrayLike,
    scores: ArrayLike,
    *,
    false_positive: Cost,
    false_negative: Cost,
) -> Threshold:
    """The threshold of least total cost on these rows; of equals the highest, with fewest alarms.

    Choose it on validation rows. With constant costs and true probabilities it comes near
    false_positive / (false_positive + false_negative).
    """
    curve = cost_curve(labels, scores, false_positive=false_positive, false_negative=false_negative)
    best = int(np.argmin(curve.cost))
    return Threshold(
        threshold=float(curve.thresholds[best]),
        cost=float(curve.cost[best]),
        cost_never=float(curve.cost[0]),
        cost_always=float(curve.cost[-1]),
        alarms=int(curve.alarms[best]),
    )


def _costs(name: str, value: Cost, rows: int) -> Floats:
    costs = np.atleast_1d(numbers(name, value, dimensions=np.ndim(value)))
    if costs.size and costs.min() < 0:
        raise ValueError(f"{name} holds {costs.min():g}: costs start at 0")
    if len(costs) not in (1, rows):
        raise ValueError(
            f"{name} has {len(costs)} values for {rows} rows: pass one, or one per row"
        )
    return np.broadcast_to(costs, (rows,))
