"""Candidate sources on a simulated world: taste is found, and no index invents an item."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from common.evaluation.ranking import judge, recall
from common.retrieval import MISSING, top_k
from data.simulated.movies import generate
from patterns.recsys.config import Config
from patterns.recsys.data import split
from patterns.recsys.entities.requests import requests_within
from patterns.recsys.stages.candidates.als import ALS
from patterns.recsys.stages.candidates.popularity import Popularity
from patterns.recsys.stages.candidates.two_tower import TwoTower
from patterns.recsys.stages.candidates.vectors import ItemVectors

USERS, ITEMS = 400, 300


@pytest.fixture(scope="module")
def world():
    """Give the events before the test window, the requests of test users and their answers."""
    splits = split(generate(seed=0, users=USERS, items=ITEMS, events=20_000), Config())
    past = splits.train.joined(splits.valid)
    requests, answers, _ = requests_within(past, splits.test, splits.catalogue, moments=(0.5,))
    return splits.catalogue, past, requests, answers


def recall_at_50(source, world) -> float:
    *_, requests, answers = world
    judged = judge(source.retrieve(requests, 50).item_ids, answers)
    return float(recall(judged.relevance, judged.total_relevant, 50).mean())


@pytest.mark.slow
def test_als_and_two_tower_find_what_popularity_misses(world) -> None:
    catalogue, past, *_ = world
    popularity = Popularity().fit(past, catalogue)
    als = ALS(factors=16, iterations=10).fit(past, catalogue)
    towers = TwoTower(dimension=32, epochs=15, batch_size=512, device="cpu").fit(past, catalogue)
    baseline = recall_at_50(popularity, world)
    assert recall_at_50(als, world) > baseline + 0.1
    assert recall_at_50(towers, world) > baseline + 0.05


@pytest.mark.parametrize("kind", ["flat", "ivf", "hnsw", "ivf-pq"])
def test_every_index_gives_unseen_items_of_the_catalogue_best_first(kind, world) -> None:
    _, _, requests, _ = world
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(ITEMS, 8)).astype(np.float32)
    users = rng.normal(size=(len(requests), 8)).astype(np.float32)
    found = ItemVectors(vectors, kind=kind).retrieve(users, requests.seen, 40)
    assert found.item_ids.shape == (len(requests), 40)
    for row, items in enumerate(found.item_ids):
        shown = items[items != MISSING]
        assert len(set(shown.tolist())) == len(shown)
        assert not set(shown.tolist()) & set(requests.seen[row].indices.tolist())
    scores = found.scores
    assert (scores[:, 1:] <= scores[:, :-1])[np.isfinite(scores[:, 1:])].all()


def test_k_beyond_the_catalogue_gives_every_unseen_item_once(world) -> None:
    catalogue, past, requests, _ = world
    known = np.diff(requests.seen.indptr) > 0
    assert known.any() and not known.all()
    for source, serves_nobody in ((Popularity(), True), (ALS(factors=4, iterations=2), False)):
        found = source.fit(past, catalogue).retrieve(requests, 10 * ITEMS)
        for row in range(len(requests)):
            items = found.item_ids[row]
            shown = items[items != MISSING].tolist()
            seen = set(requests.seen[row].indices.tolist())
            expected = list(range(ITEMS)) if known[row] or serves_nobody else []
            assert sorted([*shown, *seen]) == expected


def test_the_same_seed_gives_the_same_factors_and_another_does_not(world) -> None:
    _, past, *_ = world
    seen = past.matrix(USERS, ITEMS)
    first, again, other = (
        ALS(factors=8, iterations=3, seed=seed).fit_matrix(seen).items_.vectors
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3


@pytest.mark.parametrize("kind", ["flat", "hnsw"])
def test_seen_items_are_left_out_whatever_the_history(kind, monkeypatch) -> None:
    """Short, long, empty and full histories in one batch answer as each does alone."""
    rng = np.random.default_rng(0)
    vectors, users = rng.normal(size=(60, 8)), rng.normal(size=(9, 8)).astype(np.float32)
    lengths = [0, 1, 2, 5, 17, 40, 58, 60, 3]
    seen = np.zeros((9, 60), np.float32)
    for row, length in enumerate(lengths):
        seen[row, rng.permutation(60)[:length]] = 1
    expected = top_k(users @ vectors.T.astype(np.float32), 5, exclude=csr_matrix(seen))
    monkeypatch.setattr("patterns.recsys.stages.candidates.vectors.PRODUCTS", 150)  # 2 rows a part
    items = ItemVectors(vectors, kind=kind)
    found = items.retrieve(users, csr_matrix(seen), 5)
    np.testing.assert_array_equal(found.item_ids, expected.item_ids)
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-5)
    for row in range(9):
        alone = items.retrieve(users[row : row + 1], csr_matrix(seen[row : row + 1]), 5)
        width = alone.item_ids.shape[1]
        np.testing.assert_array_equal(alone.item_ids[0], found.item_ids[row, :width])
    assert items.retrieve(users[:0], csr_matrix(seen[:0]), 5).item_ids.shape[0] == 0
