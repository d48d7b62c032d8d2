"""Each stage on planted data: better than the baseline, equal after a load, right by hand."""

from pathlib import Path

import numpy as np
import pytest
from planted_recsys import catalogue_of, events
from scipy.sparse import csr_matrix

from common.evaluation.ranking import judge, recall
from common.retrieval import MISSING, Candidates
from patterns.recsys.entities.requests import RECENT, Requests
from patterns.recsys.stages.candidates.als import ALS
from patterns.recsys.stages.candidates.popularity import Popularity
from patterns.recsys.stages.candidates.two_tower import TwoTower
from patterns.recsys.stages.candidates.vectors import without_seen
from patterns.recsys.stages.reranking.reranker import TRADE_OFFS, Reranker

USERS, ITEMS, HALF = 200, 60, 30


@pytest.fixture(scope="module")
def planted() -> tuple[csr_matrix, Requests, csr_matrix]:
    """Users of two tastes, each taking items of one half only: history and held-out items."""
    rng = np.random.default_rng(0)
    taken = np.zeros((USERS, ITEMS))
    held = np.zeros((USERS, ITEMS))
    recent = np.full((USERS, RECENT), MISSING)
    for user in range(USERS):
        own = rng.choice(HALF, 14, replace=False) + HALF * (user % 2)
        taken[user, own[:10]] = 1
        held[user, own[10:]] = 1
        recent[user, :10] = own[:10]
    seen = csr_matrix(taken.astype(np.float32))
    segments = np.zeros((USERS, 1), dtype=np.int64)
    return seen, Requests(segments, np.zeros(USERS, np.int64), recent, seen), csr_matrix(held)


def recall_at_20(found: Candidates, held: csr_matrix) -> float:
    judged = judge(found.item_ids, held)
    return float(recall(judged.relevance, judged.total_relevant, 20).mean())


def nobody(items: int) -> Requests:
    empty = csr_matrix((1, items), dtype=np.float32)
    return Requests(
        np.zeros((1, 1), np.int64), np.zeros(1, np.int64), np.full((1, RECENT), MISSING), empty
    )


def test_popularity_decays_and_leaves_out_what_was_seen() -> None:
    day = 86_400
    given = events((0, 0, 0), (1, 0, 0), (2, 1, 10 * day))
    stage = Popularity(half_life_days=10).fit(given, catalogue_of(3, 3))
    assert stage.scores_.tolist() == [1.0, 1.0, 0.0]
    seen = csr_matrix(np.array([[0, 1, 0]], dtype=np.float32))
    request = Requests(np.zeros((1, 1), int), np.zeros(1, int), np.full((1, RECENT), MISSING), seen)
    assert stage.retrieve(request, 5).item_ids.tolist() == [[0, 2, -1]]


def test_als_finds_the_planted_taste(planted: tuple) -> None:
    seen, requests, held = planted
    popularity = Popularity().fit_matrix(seen)
    stage = ALS(factors=2, iterations=15).fit_matrix(seen)
    found = stage.retrieve(requests, 20)
    assert recall_at_20(found, held) > 0.95
    assert recall_at_20(popularity.retrieve(requests, 20), held) < 0.6


def test_fold_in_is_the_half_step_of_training(planted: tuple) -> None:
    from implicit.als import AlternatingLeastSquares
    from threadpoolctl import threadpool_limits

    seen, requests, _ = planted
    stage = ALS(factors=8, iterations=5, confidence=3.0, regularization=0.1).fit_matrix(seen)
    with threadpool_limits(1, "blas"):
        model = AlternatingLeastSquares(factors=8, alpha=3.0, regularization=0.1, use_gpu=False)
    model.item_factors = stage.items_.vectors
    model.user_factors = np.zeros((USERS, 8), dtype=np.float32)
    expected = model.recalculate_user(np.arange(USERS), seen)
    assert np.allclose(stage.user_vectors(requests), expected, atol=1e-3)


def test_als_has_nothing_for_somebody_without_a_history(planted: tuple) -> None:
    seen, _, _ = planted
    found = ALS(factors=4, iterations=2).fit_matrix(seen).retrieve(nobody(ITEMS), 5)
    assert (found.item_ids == -1).all() and np.isneginf(found.scores).all()


def test_two_tower_finds_the_planted_taste(planted: tuple) -> None:
    seen, requests, held = planted
    rows = np.repeat(np.arange(USERS), 10)
    times = np.arange(len(rows)) % 10 * 100
    given = events(*sorted(zip(rows, requests.recent[:, :10].ravel(), times, strict=True)))
    stage = TwoTower(dimension=16, epochs=20, learning_rate=0.02, batch_size=256, device="cpu")
    found = stage.fit(given, catalogue_of(USERS, ITEMS)).retrieve(requests, 20)
    assert recall_at_20(found, held) > 0.9


def test_seen_items_are_dropped_in_order() -> None:
    found = Candidates(np.array([[3, 1, 2, -1]]), np.array([[4.0, 3, 2, -np.inf]], np.float32))
    seen = csr_matrix(np.array([[0, 1, 0, 0]], dtype=np.float32))
    left = without_seen(found, seen, 3)
    assert left.item_ids.tolist() == [[3, 2, -1]] and left.scores[0, 1] == 2.0


def test_reranker_spends_its_budget_and_no_more(tmp_path: Path) -> None:
    vectors = np.repeat(np.eye(2, dtype=np.float32), 10, axis=0)  # two kinds of items
    ranked = Candidates(
        np.arange(20)[None].repeat(4, 0), np.linspace(1, 0, 20, dtype=np.float32)[None].repeat(4, 0)
    )
    answers = csr_matrix(np.tile(np.r_[np.ones(3), np.zeros(17)], (4, 1)))
    stage = Reranker(depth=20, ndcg_budget=0.0).fit(ranked, answers, vectors)
    best = stage.curve_[0].ndcg
    chosen = {point.trade_off: point.ndcg for point in stage.curve_}[stage.trade_off_]
    assert chosen >= best
    free = Reranker(depth=20, ndcg_budget=1.0, similarity_cut=1.0).fit(ranked, answers, vectors)
    assert free.trade_off_ == min(TRADE_OFFS) <= stage.trade_off_
    page = free.rerank(ranked, 10).item_ids[0]
    assert {0, 10} <= set(page.tolist()) and len(set(page.tolist())) == 10
    assert free.rerank(ranked, 50).item_ids.shape == (4, 20)
    free.save(tmp_path)
    again = Reranker.load(tmp_path)
    assert np.array_equal(again.rerank(ranked, 10).item_ids[0], page)
