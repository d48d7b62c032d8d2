"""Regression metrics against scikit-learn, and the cases where ours refuse."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from common.evaluation import regression


@given(seed=st.integers(0, 10_000), rows=st.integers(2, 50))
@settings(max_examples=40, deadline=None)
def test_equals_sklearn(seed, rows):
    rng = np.random.default_rng(seed)
    targets, predicted = rng.normal(2, 1, rows), rng.normal(2, 1, rows)
    pairs = [
        (regression.mse, metrics.mean_squared_error),
        (regression.rmse, metrics.root_mean_squared_error),
        (regression.mae, metrics.mean_absolute_error),
        (regression.r2, metrics.r2_score),
        (regression.mape, metrics.mean_absolute_percentage_error),
    ]
    for ours, theirs in pairs:
        assert ours(targets, predicted) == pytest.approx(theirs(targets, predicted))


def test_by_hand():
    assert regression.rmse([0, 0], [3, 4]) == pytest.approx(np.sqrt(12.5))
    assert regression.r2([1, 2, 3], [2, 2, 2]) == 0
    assert regression.mape([1, -2], [2, -2]) == 0.5


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: regression.mse([], []), "targets is empty"),
        (lambda: regression.mae([1, np.nan], [1, 2]), "targets holds 1 NaN.*first at 1"),
        (lambda: regression.mae([1], [1, 2]), "targets 1, predicted 2"),
        (lambda: regression.r2([2, 2], [1, 2]), "constant.*mae or rmse"),
        (lambda: regression.mape([0, 1], [1, 1]), "1 zero.*mae"),
    ],
)
def test_refusals_name_argument_and_remedy(call, words):
    with pytest.raises(ValueError, match=words):
        call()
