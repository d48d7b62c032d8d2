"""Objectives weighed against each other: standardising, weights, the Pareto front, by hand."""

import numpy as np
import pytest

from patterns.recsys.stages.ranking.examples import Examples
from patterns.recsys.stages.ranking.objectives import combine, non_dominated, pareto

NAN = float("nan")


def test_scores_are_standardised_within_each_request() -> None:
    ctr = np.array([[1.0, 3.0, -np.inf], [100.0, 300.0, 200.0]])
    rating = np.array([[5.0, 5.0, -np.inf], [3.0, 2.0, 1.0]])
    found = combine({"ctr": ctr, "rating": rating}, {"ctr": 1.0, "rating": 0.5})
    assert found[0].tolist() == [-1.0, 1.0, -np.inf]  # equal ratings say nothing
    unit = np.sqrt(1.5)
    assert found[1] == pytest.approx([-unit + 0.5 * unit, unit, -0.5 * unit])


def test_one_weight_keeps_its_order_whatever_the_scale() -> None:
    rng = np.random.default_rng(0)
    ctr, watch = rng.normal(size=(2, 5, 9))
    alone = combine({"ctr": 1e6 * ctr + 3, "watch": watch}, {"ctr": 2.0})
    assert np.array_equal(np.argsort(alone, axis=1), np.argsort(ctr, axis=1))
    both = {"ctr": ctr, "watch": watch}
    scaled = {"ctr": ctr, "watch": 1e3 * watch}
    weights = {"ctr": 0.3, "watch": 0.7}
    assert np.allclose(combine(both, weights), combine(scaled, weights))


def test_unknown_weights_and_empty_requests() -> None:
    with pytest.raises(ValueError, match="'clicks' has no scores"):
        combine({"ctr": np.zeros((1, 2))}, {"clicks": 1.0})
    assert combine({"ctr": np.zeros((0, 4))}, {"ctr": 1.0}).shape == (0, 4)
    assert np.isneginf(combine({"ctr": np.full((1, 2), -np.inf)}, {"ctr": 1.0})).all()


def test_points_are_marked_where_none_is_better_on_both() -> None:
    points = np.array([[3, 1], [2, 2], [1, 3], [1, 2], [2, 2], [3, NAN], [0, 9]])
    assert non_dominated(points).tolist() == [True, True, True, False, True, False, True]


def test_pareto_by_hand() -> None:
    labels = np.array([[1, 1, 0, 0]], dtype=np.float32)
    values = np.array([[1, 5, NAN, NAN]], dtype=np.float32)
    examples = Examples.of_items(
        np.zeros((1, 4, 1), np.float32), np.arange(4)[None], labels, values
    )
    scores = {
        "ctr": np.array([[4.0, 3.0, 2.0, 1.0]]),  # both clicked first, the poor one before
        "rating": np.array([[1.0, 4.0, 3.0, 2.0]]),  # the good one first, the poor one last
    }
    weightings = [{"ctr": 1.0}, {"rating": 1.0}, {"ctr": -1.0}]
    clicks, rating, worst = pareto(scores, weightings, examples, k=2)
    ideal = 1 + 1 / np.log2(3)
    assert (clicks.ndcg, clicks.value) == (pytest.approx(1.0), 3.0)
    assert (rating.ndcg, rating.value) == (pytest.approx(1 / ideal), 5.0)
    assert worst.ndcg == 0.0 and np.isnan(worst.value)
    assert [clicks.efficient, rating.efficient, worst.efficient] == [True, True, False]
    assert rating.weights == {"rating": 1.0}


def test_padding_never_counts_and_unknown_values_leave_the_mean_alone() -> None:
    labels = np.array([[1, 1, 0]], dtype=np.float32)
    values = np.array([[4, NAN, NAN]], dtype=np.float32)
    examples = Examples.of_items(
        np.zeros((1, 3, 1), np.float32), np.array([[0, 1, -1]]), labels, values
    )
    (point,) = pareto({"ctr": np.array([[1.0, 2.0, -np.inf]])}, [{"ctr": 1.0}], examples)
    assert point.ndcg == pytest.approx(1.0) and point.value == 4.0 and point.efficient


def test_the_middle_of_planted_objectives_is_on_the_front() -> None:
    rng = np.random.default_rng(0)
    chance, worth = rng.random((2, 300, 40))
    labels = (rng.random(chance.shape) < chance**4).astype(np.float32)
    values = np.where(labels > 0, worth, np.nan).astype(np.float32)
    ids = np.tile(np.arange(40), (300, 1))
    examples = Examples.of_items(np.zeros((300, 40, 1), np.float32), ids, labels, values)
    weightings = [{"ctr": 1 - w, "rating": w} for w in (0.0, 0.25, 0.5, 0.75, 1.0)]
    points = pareto({"ctr": chance, "rating": worth}, weightings, examples)
    assert all(point.efficient for point in points)
    assert np.all(np.diff([point.ndcg for point in points]) < 0)
    assert np.all(np.diff([point.value for point in points]) > 0)
