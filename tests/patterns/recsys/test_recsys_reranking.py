"""Pages: penalties and rules against slow references."""

from pathlib import Path

import numpy as np
import pytest
from planted_pages import ITEMS, ordered_list, unit, violations, world
from scipy.sparse import csr_matrix
from scipy.stats import entropy

from common.retrieval import Candidates, mmr
from patterns.recsys.stages.reranking.penalties import (
    SMOOTHING,
    genre_shares,
    history_shares,
    miscalibration,
)
from patterns.recsys.stages.reranking.reranker import TRADE_OFFS, Reranker
from patterns.recsys.stages.reranking.rules import Cap, Rules, genre_cap, rarest_group

METHODS = ("mmr", "bounded-greedy", "calibrated", "both")


def fitted(genres: np.ndarray, **options: object) -> Reranker:
    stage = Reranker(**options)  # type: ignore[arg-type]
    stage.with_genres(genres)
    return stage


@pytest.mark.parametrize("trade_off", [0.9, 0.6, 0.3])
def test_pages_of_a_batch_are_those_of_mmr_one_by_one(trade_off: float) -> None:
    ranked, genres, _ = world()
    stage = fitted(genres, depth=30, method="mmr")
    page = stage.rerank(ranked, 10, trade_off=trade_off)
    for row in range(1, len(ranked)):
        items, scores = ranked.item_ids[row, :30], ranked.scores[row, :30]
        vectors = stage.vectors_[items].astype(np.float64)
        chosen = mmr(unit(scores.astype(np.float64)), vectors, k=10, trade_off=trade_off)
        assert page.item_ids[row].tolist() == items[chosen].tolist()
        assert page.scores[row].tolist() == scores[chosen].tolist()


def test_bounded_greedy_adds_the_least_mean_similarity() -> None:
    ranked, genres, _ = world()
    stage = fitted(genres, depth=30)
    page = stage.rerank(ranked, 10, trade_off=0.5).item_ids
    for row in range(1, len(ranked)):
        items, relevance = ranked.item_ids[row, :30], unit(ranked.scores[row, :30])
        cosines = stage.vectors_[items] @ stage.vectors_[items].T
        chosen: list[int] = []
        for _ in range(10):
            similarity = cosines[:, chosen].mean(axis=1) if chosen else np.zeros(30)
            value = 0.5 * relevance - 0.5 * similarity
            value[chosen] = -np.inf
            chosen.append(int(np.argmax(value)))
        assert page[row].tolist() == items[chosen].tolist()


def test_the_cheapest_page_that_cuts_enough_is_chosen() -> None:
    ranked, genres, seen = world(requests=200)
    rng = np.random.default_rng(1)
    answers = csr_matrix((rng.random((200, ITEMS)) < 0.1).astype(np.float32))
    stage = Reranker(ndcg_budget=1.0, similarity_cut=0.2).fit(ranked, answers, genres, seen=seen)
    whole = stage.curve_[0].ils
    cut = {point.trade_off: 1 - point.ils / whole for point in stage.curve_}
    assert cut[stage.trade_off_] >= 0.2
    assert all(share < 0.2 for trade_off, share in cut.items() if trade_off > stage.trade_off_)
    all_of_it = Reranker(ndcg_budget=1.0, similarity_cut=1.0).fit(
        ranked, answers, genres, seen=seen
    )
    assert all_of_it.trade_off_ == min(TRADE_OFFS)  # nothing cuts all: as far as the budget goes


def test_calibrated_pages_are_the_greedy_of_the_formula() -> None:
    ranked, genres, seen = world()
    stage = fitted(genres, method="calibrated", depth=30)
    page = stage.rerank(ranked, 8, seen=seen, trade_off=0.7).item_ids
    shares = genres / np.maximum(genres.sum(1, keepdims=True), 1)
    for row in range(1, len(ranked)):
        items, relevance = ranked.item_ids[row, :30], unit(ranked.scores[row, :30])
        history = shares[seen[row].indices].sum(0)
        history = history / max(history.sum(), 1e-9)
        on_page: list[int] = []
        for n in range(1, 9):
            values = []
            for place, item in enumerate(items):
                given = shares[[*on_page, item]].sum(0)
                given = given / max(given.sum(), 1e-9)
                mixed = (1 - SMOOTHING) * given + SMOOTHING * history
                used = history > 0
                kl = (history[used] * np.log(history[used] / mixed[used])).sum()
                taken = item in on_page
                values.append(-np.inf if taken else 0.7 * relevance[place] - 0.3 * n * kl)
            on_page.append(int(items[int(np.argmax(values))]))
        assert page[row].tolist() == on_page


@pytest.mark.parametrize("method", METHODS)
def test_one_request_gets_the_page_of_the_batch(method: str) -> None:
    ranked, genres, seen = world(requests=300)  # more than a block
    stage = fitted(genres, method=method, depth=30)
    together = stage.rerank(ranked, 10, seen=seen, trade_off=0.6)
    for row in (0, 7, 299):
        one = Candidates(ranked.item_ids[row : row + 1], ranked.scores[row : row + 1])
        alone = stage.rerank(one, 10, seen=seen[row], trade_off=0.6)
        assert alone.item_ids[0].tolist() == together.item_ids[row].tolist()
    assert sorted(together.item_ids[0, :4]) == sorted(ranked.item_ids[0, :4])
    assert (together.item_ids[0, 4:] == -1).all() and np.isneginf(together.scores[0, 4:]).all()


def test_a_calibrated_page_follows_the_history() -> None:
    """Seven tenths drama and three comedy, where the ranker would show drama only."""
    genres = np.repeat(np.eye(2, dtype=np.float32), 20, axis=0)
    ranked = Candidates(np.arange(40)[None], np.linspace(1, 0, 40, dtype=np.float32)[None])
    taken = np.zeros((1, 40), dtype=np.float32)
    taken[0, [0, 1, 2, 3, 4, 5, 6, 20, 21, 22]] = 1
    stage = fitted(genres, method="calibrated")
    page = stage.rerank(ranked, 10, seen=csr_matrix(taken), trade_off=0.3).item_ids
    assert (page < 20).sum() == 7
    empty = csr_matrix((1, 40), dtype=np.float32)
    assert stage.rerank(ranked, 10, seen=empty, trade_off=0.3).item_ids[0].tolist() == [*range(10)]


def test_miscalibration_is_the_smoothed_kl() -> None:
    shares = genre_shares(np.array([[1, 0], [0, 1], [1, 1], [0, 0]], dtype=np.float32))
    assert shares.tolist() == [[1, 0], [0, 1], [0.5, 0.5], [0, 0]]
    wanted = history_shares(csr_matrix(np.array([[1, 0, 1, 0], [0, 0, 0, 0.0]])), shares)
    assert wanted.tolist() == [[0.75, 0.25], [0, 0]]
    page = np.array([[2, 2, -1], [0, 1, 2]])
    mixed = (1 - SMOOTHING) * np.array([0.5, 0.5]) + SMOOTHING * wanted[0]
    found = miscalibration(wanted, shares, page)
    assert found == pytest.approx([entropy(wanted[0], mixed), 0.0], abs=1e-6)
    worst = miscalibration(wanted[:1], shares, np.array([[-1, 3]]))
    assert worst == pytest.approx([-np.log(SMOOTHING)], abs=1e-5)


def test_fit_keeps_every_curve_and_spends_no_more_than_the_budget(tmp_path: Path) -> None:
    ranked, genres, seen = world(requests=200)
    rng = np.random.default_rng(1)
    answers = csr_matrix((rng.random((200, ITEMS)) < 0.1).astype(np.float32))
    for method in METHODS:
        stage = Reranker(method=method, ndcg_budget=0.05).fit(ranked, answers, genres, seen=seen)
        chosen = {point.trade_off: point for point in stage.curve_}[stage.trade_off_]
        assert chosen.ndcg >= 0.95 * stage.curve_[0].ndcg
    assert set(stage.curves_) == set(METHODS)
    assert all([p.trade_off for p in each] == [*TRADE_OFFS] for each in stage.curves_.values())
    start, end = stage.curves_["mmr"][0], stage.curves_["mmr"][-1]
    assert end.ils < 0.7 * start.ils
    assert stage.curves_["calibrated"][-1].kl < 0.7 * start.kl
    stage.save(tmp_path)
    again = Reranker.load(tmp_path)
    assert again.curves_ == stage.curves_ and again.method == "both"
    pages = [each.rerank(ranked, 10, seen=seen).item_ids for each in (stage, again)]
    assert np.array_equal(*pages)


def test_without_histories_nothing_is_calibrated() -> None:
    ranked, genres, seen = world()
    stage = Reranker().fit(ranked, seen, genres)
    assert set(stage.curves_) == {"mmr", "bounded-greedy"} and stage.curve_[0].kl is None
    with pytest.raises(ValueError, match="seen: 'both' needs the histories"):
        stage.rerank(ranked, 10, trade_off=0.5, method="both")
    with pytest.raises(ValueError, match="method: 'fair' is not known"):
        Reranker(method="fair")  # type: ignore[arg-type]


@pytest.mark.parametrize("method", METHODS)
def test_one_genre_for_all_leaves_the_order(method: str) -> None:
    ranked, _, seen = world()
    stage = fitted(np.ones((ITEMS, 1), np.float32), method=method)
    page = stage.rerank(ranked, 10, seen=seen, trade_off=0.5)
    assert np.array_equal(page.item_ids, ranked.item_ids[:, :10])
    everything = stage.rerank(ranked, 500, seen=seen, trade_off=0.5)
    assert np.array_equal(everything.item_ids, ranked.item_ids)


@pytest.mark.parametrize("rules", [None, Rules()])
def test_the_rest_follows_the_page_in_order(rules: Rules | None) -> None:
    ranked, genres, _ = world()
    stage = fitted(genres, depth=30, trade_off=0.5)
    page = stage.rerank(ranked, 10, rules=rules)
    whole = stage.rerank(ranked, 10, rules=rules, rest=True)
    assert np.array_equal(whole.item_ids[:, :10], page.item_ids)
    for row in range(len(ranked)):
        left = [item for item in ranked.item_ids[row] if item not in page.item_ids[row]]
        found = whole.item_ids[row, 10:]
        assert found[found >= 0].tolist() == left
    assert stage.rerank(ranked, 10, rest=True, trade_off=1.0).item_ids.shape == (40, 60)


def simple(count: int = 12) -> tuple[Candidates, Reranker]:
    return ordered_list(count), fitted(np.ones((count, 1), np.float32), depth=6)


def test_caps_are_kept_and_candidates_beyond_the_pool_step_in() -> None:
    ranked, stage = simple()
    groups = np.array([0, 0, 0, 0, 0, 0, 0, 0, 1, -1, -1, -1])
    rules = Rules(caps=(Cap(groups, 2),))
    page = stage.rerank(ranked, 5, rules=rules).item_ids
    assert page.tolist() == [[0, 1, 8, 9, 10]] and violations(rules, page).tolist() == [0]


def test_a_cap_that_cannot_be_met_leaves_the_page_full() -> None:
    ranked, stage = simple()
    rules = Rules(caps=(Cap(np.zeros(12, dtype=np.int64), 2),))
    page = stage.rerank(ranked, 5, rules=rules).item_ids
    assert page.tolist() == [[0, 1, 2, 3, 4]] and violations(rules, page).tolist() == [3]
    two = Rules(caps=(Cap(np.arange(12) % 2, 1), Cap(np.arange(12) // 6, 1)))
    page = stage.rerank(ranked, 3, rules=two).item_ids
    assert page.tolist() == [[0, 7, 1]] and violations(two, page).tolist() == [2]
    with pytest.raises(ValueError, match="most: 0"):
        Cap(np.zeros(3), 0)


@pytest.mark.parametrize("method", METHODS)
def test_caps_hold_under_every_penalty(method: str) -> None:
    ranked, genres, seen = world(width=70)
    rules = Rules(caps=(Cap(rarest_group(genres), 2),))
    page = fitted(genres, method=method, depth=20).rerank(
        ranked, 10, seen=seen, rules=rules, trade_off=0.6
    )
    assert violations(rules, page.item_ids).tolist() == [0] * len(ranked)
    assert (page.item_ids[1:] >= 0).all()


def test_the_rarest_group_is_the_code() -> None:
    memberships = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 0], [1, 1, 1]])
    assert rarest_group(memberships).tolist() == [1, 0, -1, 2]


def test_a_genre_cap_is_a_setting_of_the_reranker(tmp_path: Path) -> None:
    ranked, genres, seen = world(width=70)
    stage = fitted(genres, genre_cap=2, trade_off=0.6)
    stage.curves_ = {}
    page = stage.rerank(ranked, 10, rules=stage.rules_)
    assert violations(genre_cap(genres, 2), page.item_ids).tolist() == [0] * len(ranked)
    free = stage.rerank(ranked, 10)
    assert violations(genre_cap(genres, 2), free.item_ids).sum() > 0
    stage.save(tmp_path)
    again = Reranker.load(tmp_path)
    assert np.array_equal(again.rerank(ranked, 10, rules=again.rules_).item_ids, page.item_ids)
    assert genre_cap(genres, 0) is None


def test_no_request_and_no_candidate_are_no_trouble() -> None:
    ranked, genres, seen = world()
    stage = fitted(genres, method="both", trade_off=0.5)
    none = Candidates(np.empty((0, 60), np.int64), np.empty((0, 60), np.float32))
    assert stage.rerank(none, 10, seen=seen[:0]).item_ids.shape == (0, 10)
    empty = Candidates(np.empty((2, 0), np.int64), np.empty((2, 0), np.float32))
    assert stage.rerank(empty, 10, seen=seen[:2]).item_ids.shape == (2, 0)
