"""Exploration: what is drawn into a page, against the formula of its propensities."""

from pathlib import Path

import numpy as np
import pytest
from planted_pages import ITEMS, ordered_list, unit, violations, world

from common.retrieval import Candidates
from patterns.recsys.stages.reranking.exploration import Exploration
from patterns.recsys.stages.reranking.rules import Cap, Rules


def explored(stage: Exploration, ranked: Candidates, k: int, **options: object):
    ids = np.arange(len(ranked))
    return stage.explore(ranked, k, request_ids=ids, days=np.full(len(ids), 7), **options)


def test_slots_are_drawn_as_often_as_the_propensities_say() -> None:
    count = 6
    ranked = ordered_list(count)
    many = Candidates(np.tile(ranked.item_ids, (20_000, 1)), np.tile(ranked.scores, (20_000, 1)))
    shown = np.array([900, 900, 900, 900, 3, 0])
    stage = Exploration(slots=1, epsilon=0.4, rare=10, temperature=1.0).fit(shown)
    page = explored(stage, many, 3)
    assert (page.items.item_ids[:, :2] == [0, 1]).all()
    assert (page.propensities[:, :2] == 1).all() and not page.drawn[:, :2].any()
    last = page.items.item_ids[:, 2]
    assert set(np.unique(last)) == {2, 4, 5}
    relevance = unit(ranked.scores[0])
    bound = 0.5 * np.sqrt(np.log1p(shown.sum()) / (1 + shown))
    weight = np.exp((relevance + bound)[[4, 5]])
    expected = {2: 0.6, 4: 0.4 * weight[0] / weight.sum(), 5: 0.4 * weight[1] / weight.sum()}
    for item, chance in expected.items():
        assert page.propensities[last == item, 2] == pytest.approx(chance)
        assert (last == item).mean() == pytest.approx(chance, abs=0.015)
    assert (page.drawn[:, 2] == (last != 2)).all()


def test_inverse_propensities_weigh_back_to_the_uniform_value() -> None:
    """The mean of reward / propensity is the sum of the rewards, whatever the draw prefers."""
    ranked = ordered_list(5)
    many = Candidates(np.tile(ranked.item_ids, (20_000, 1)), np.tile(ranked.scores, (20_000, 1)))
    stage = Exploration(slots=1, rare=10, temperature=2.0).fit(np.array([99, 99, 1, 0, 4]))
    page = explored(stage, many, 3)
    reward = np.array([0, 0, 1.0, 0.2, 0.6])[page.items.item_ids[:, 2]]
    assert (reward / page.propensities[:, 2]).mean() == pytest.approx(1.8, abs=0.05)


def test_equal_requests_get_equal_pages_alone_or_together() -> None:
    ranked, genres, _ = world(requests=50)
    stage = Exploration(slots=3, epsilon=0.7, rare=5, seed=4).fit(np.zeros(ITEMS))
    ids, days = np.arange(50), np.full(50, 3)
    first = stage.explore(ranked, 10, request_ids=ids, days=days)
    one = Candidates(ranked.item_ids[9:10], ranked.scores[9:10])
    alone = stage.explore(one, 10, request_ids=ids[9:10], days=days[9:10])
    assert alone.items.item_ids[0].tolist() == first.items.item_ids[9].tolist()
    assert alone.propensities[0] == pytest.approx(first.propensities[9])
    tomorrow = stage.explore(ranked, 10, request_ids=ids, days=days + 1)
    assert (tomorrow.items.item_ids != first.items.item_ids).any(axis=1).mean() > 0.8
    assert (first.items.item_ids[:, :7] == ranked.item_ids[:, :7]).all()
    for row in first.items.item_ids[1:]:
        assert len(set(row.tolist())) == 10 and (row >= 0).all()
    assert (first.propensities > 0).all() and (first.propensities <= 1 + 1e-12).all()


def test_where_nothing_is_rare_the_page_stays(tmp_path: Path) -> None:
    ranked, _, _ = world()
    stage = Exploration(slots=2, rare=5).fit(np.full(ITEMS, 100))
    stage.save(tmp_path)
    for each in (stage, Exploration.load(tmp_path)):
        page = explored(each, ranked, 10)
        assert np.array_equal(page.items.item_ids, ranked.item_ids[:, :10])
        assert (page.propensities == 1).all() and not page.drawn.any()
    assert explored(stage, ranked, 500).items.item_ids.shape == ranked.item_ids.shape
    with pytest.raises(ValueError, match="temperature"):
        Exploration(temperature=0.0)


def test_what_is_drawn_keeps_the_caps() -> None:
    ranked = ordered_list()
    many = Candidates(np.tile(ranked.item_ids, (500, 1)), np.tile(ranked.scores, (500, 1)))
    groups = np.array([0, 1, 0, 1, 0, 1, 0, 1, 2, 3, 4, 5])
    rules = Rules(caps=(Cap(groups, 1),))
    stage = Exploration(slots=2, epsilon=0.5, rare=5, temperature=5.0).fit(np.zeros(12))
    page = explored(stage, many, 4, rules=rules)
    assert violations(rules, page.items.item_ids).sum() == 0
    assert set(np.unique(page.items.item_ids[:, 2:])) == {8, 9, 10, 11}
