"""Biased matrix factorisation: the planted model, the ridge solution, bad input."""

from pathlib import Path

import numpy as np
import pytest

from common.evaluation.regression import rmse
from patterns.recsys.stages.ranking.biased_mf import BiasedMF

USERS, ITEMS = 150, 80


def world(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Ratings of a planted biased factor model with noise of .3: users, items, ratings, truth."""
    rng = np.random.default_rng(seed)
    truth = 3.0 + 0.5 * rng.normal(size=(USERS, 1)) + 0.5 * rng.normal(size=(1, ITEMS))
    truth = truth + 0.6 * rng.normal(size=(USERS, 2)) @ rng.normal(size=(2, ITEMS))
    users, items = np.nonzero(rng.random(truth.shape) < 0.4)
    return users, items, truth[users, items] + 0.3 * rng.normal(size=len(users)), truth


@pytest.fixture(scope="module")
def fitted() -> BiasedMF:
    users, items, ratings, _ = world()
    return BiasedMF(factors=4, regularization=1.0, noise=0.1).fit(
        users, items, ratings, shape=(USERS, ITEMS)
    )


def test_it_finds_the_planted_model_behind_the_noise(fitted: BiasedMF) -> None:
    users, items, ratings, truth = world()
    rest = np.setdiff1d(np.arange(truth.size), users * ITEMS + items)
    wanted = truth.ravel()[rest]
    inside = (wanted > ratings.min()) & (wanted < ratings.max())
    rest, wanted = rest[inside], wanted[inside]
    biases = BiasedMF(factors=0).fit(users, items, ratings, shape=(USERS, ITEMS))
    error = rmse(wanted, fitted.predict(rest // ITEMS, rest % ITEMS))
    assert error < 0.2 < 0.6 < rmse(wanted, biases.predict(rest // ITEMS, rest % ITEMS))


def test_without_noise_the_half_step_is_ridge_regression() -> None:
    from sklearn.linear_model import Ridge

    users, items, ratings, _ = world()
    model = BiasedMF(
        factors=3, regularization=2.0, bias_regularization=2.0, noise=0.0, iterations=3
    )
    model.fit(users, items, ratings, shape=(USERS, ITEMS))
    mine = items == 7  # the last half step is that of the items, given the users
    rows = model.users_[users[mine]].copy()
    target = ratings[mine] - model.mean_ - rows[:, 0]
    rows[:, 0] = 1.0
    expected = Ridge(alpha=2.0, fit_intercept=False).fit(rows, target).coef_
    assert np.allclose(model.items_[7], expected, atol=1e-8)


def test_uncertainty_helps_where_ratings_are_few() -> None:
    users, items, ratings, truth = world()
    kept = np.random.default_rng(1).random(len(users)) < 0.25
    test = ~kept
    errors = []
    for noise in (0.0, 0.3):
        model = BiasedMF(factors=8, regularization=1.0, noise=noise)
        model.fit(users[kept], items[kept], ratings[kept], shape=(USERS, ITEMS))
        predicted = model.predict(users[test], items[test])
        errors.append(rmse(truth[users[test], items[test]], predicted))
    assert errors[1] < 0.9 * errors[0]


def test_somebody_and_something_unrated_get_biases_and_the_mean() -> None:
    ratings = np.array([1.0, 5.0, 4.0])
    model = BiasedMF(factors=2).fit(np.array([0, 0, 1]), np.array([0, 1, 1]), ratings, shape=(3, 3))
    both = model.predict(np.array([2, -1]), np.array([2, -1]))
    assert both == pytest.approx([10 / 3, 10 / 3])
    bias = model.predict(np.array([2]), np.array([1]))[0]
    assert 10 / 3 < bias < 5.0
    assert model.predict(np.zeros(0, int), np.zeros(0, int)).shape == (0,)


def test_ratings_all_alike_are_predicted_alike() -> None:
    model = BiasedMF(factors=2).fit(
        np.array([0, 1]), np.array([0, 1]), np.full(2, 4.0), shape=(2, 2)
    )
    assert model.predict(np.array([0, 1]), np.array([1, 0])).tolist() == [4.0, 4.0]


def test_saved_and_fitted_again_it_is_the_same(fitted: BiasedMF, tmp_path: Path) -> None:
    users, items, ratings, _ = world()
    again = BiasedMF(factors=4, regularization=1.0, noise=0.1).fit(
        users, items, ratings, shape=(USERS, ITEMS)
    )
    assert np.array_equal(again.items_, fitted.items_)
    fitted.save(tmp_path)
    loaded = BiasedMF.load(tmp_path)
    assert np.array_equal(loaded.predict(users, items), fitted.predict(users, items))


@pytest.mark.parametrize(
    ("users", "items", "ratings", "match"),
    [
        ([], [], [], "at least one"),
        ([0, 1], [0], [1.0], "one user and one item"),
        ([0], [0], [float("nan")], "NaN"),
        ([2], [0], [1.0], "users: ids run from 2 to 2"),
        ([0], [-1], [1.0], "items: ids run from -1 to -1"),
    ],
)
def test_bad_ratings_are_named(users: list, items: list, ratings: list, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        BiasedMF().fit(
            np.array(users, int), np.array(items, int), np.array(ratings, float), shape=(2, 2)
        )


@pytest.mark.mirror
def test_movielens_ratings_are_predicted_better_than_by_biases() -> None:
    import data

    frame = data.load("movielens-100k").interactions
    users, items = (
        np.unique(frame[name].to_numpy(), return_inverse=True)[1] for name in ("user_id", "item_id")
    )
    ratings = frame["rating"].to_numpy()
    shape = users.max() + 1, items.max() + 1
    test = np.random.default_rng(0).random(len(ratings)) < 0.25
    errors = []
    for factors in (0, 16):
        model = BiasedMF(factors=factors).fit(
            users[~test], items[~test], ratings[~test], shape=shape
        )
        errors.append(rmse(ratings[test], model.predict(users[test], items[test])))
    assert errors[0] > 0.93 and errors[1] < 0.915
