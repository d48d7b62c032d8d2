"""LambdaMART on planted lists."""

import numpy as np
import pytest

from patterns.search_ranking.stages.ranking import LambdaMart
from patterns.search_ranking.stages.training_set import RankingSet


def planted(seed: int, queries: int = 150) -> RankingSet:
    """Ten documents a query; the label is decided by feature 0 given the query's feature 2."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(queries * 10, 4)).astype(np.float32)
    features[:, 2] = np.repeat(rng.integers(0, 2, queries), 10)
    signal = np.where(features[:, 2] > 0, features[:, 0], features[:, 1])
    return RankingSet(features, (signal > 0.8).astype(np.int64), np.full(queries, 10))


def make(**changes) -> LambdaMart:
    settings = {"names": list("abcd"), "trees": 40, "min_leaf_rows": 10, "learning_rate": 0.2}
    return LambdaMart(**(settings | changes))


@pytest.fixture(scope="module")
def ranker() -> LambdaMart:
    return make().fit(planted(0), planted(1))


def test_it_learns_the_planted_order(ranker: LambdaMart) -> None:
    assert ranker.valid_ndcg_ > 0.9
    importance = ranker.importance()
    assert list(importance)[-1] == "d" and importance["d"] < 0.05
    assert sum(importance.values()) == pytest.approx(1.0)


def test_two_fits_are_equal_to_the_bit(ranker: LambdaMart) -> None:
    features = planted(2).features
    again = make().fit(planted(0), planted(1))
    assert np.array_equal(ranker.score(features), again.score(features))


def test_a_block_keeps_its_shape_and_contributions_add_up(ranker: LambdaMart) -> None:
    features = planted(2).features
    block = features.reshape(150, 10, 4)
    assert np.array_equal(ranker.score(block).ravel(), ranker.score(features))
    assert ranker.score(block[:0]).shape == (0, 10)
    account = ranker.contributions(features[:50])
    expected = ranker.score(features[:50]) - account.sum(axis=1)
    assert account.shape == (50, 4) and np.allclose(expected, expected[0], atol=1e-4)


def test_graded_labels_put_the_best_first() -> None:
    base = planted(0)
    graded = RankingSet(base.features, base.labels * 2, base.groups)
    assert make().fit(graded, graded).valid_ndcg_ > 0.9


def test_saved_and_loaded_it_scores_alike(ranker: LambdaMart, tmp_path) -> None:
    ranker.save(tmp_path)
    features = planted(3).features
    again = LambdaMart.load(tmp_path)
    assert again.names == list("abcd") and again.trees_ == ranker.trees_
    assert np.array_equal(ranker.score(features), again.score(features))
