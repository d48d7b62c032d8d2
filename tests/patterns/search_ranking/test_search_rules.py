"""Business rules and diversity: each promise kept, each misspelling said."""

import json

import numpy as np
import polars as pl
import pytest

from common.retrieval import Candidates
from patterns.search_ranking.entities.documents import FILMS, tidy
from patterns.search_ranking.stages.reranking import Reranker
from patterns.search_ranking.stages.rules import Condition, Rule, Rules, read_rules

CORPUS = tidy(
    pl.DataFrame(
        {
            "doc_id": list("abcdef"),
            "title": ["A", "B", "C", "D", "E", "F"],
            "genres": [["Horror"], ["Horror"], ["Drama"], ["Drama"], [], ["Horror", "Drama"]],
            "director": ["Lynch", "Lynch", "Lynch", "Varda", "", "Varda"],
            "year": [1980, 1990, 2000, 2010, None, 2020],
        }
    ),
    FILMS,
)
VECTORS = np.eye(6, dtype=np.float32)
RANKED = Candidates(np.arange(6)[None], np.arange(6, 0, -1, dtype=np.float32)[None])


def page(*rules: Rule, k: int = 6, trade_off: float = 1.0, vectors=VECTORS, query="q") -> list[int]:
    reranker = Reranker(rules=rules, trade_off=trade_off).prepare(CORPUS, vectors)
    return reranker.rerank([query], RANKED, k).item_ids[0].tolist()


def test_without_rules_the_order_stays() -> None:
    assert page() == [0, 1, 2, 3, 4, 5] and page(k=2) == [0, 1] and page(k=99) == page()


def test_a_filter_takes_out_and_the_page_is_padded() -> None:
    assert page(Rule("filter", "genres", "horror")) == [2, 3, 4, -1, -1, -1]
    assert page(Rule("filter", "year", below=1995)) == [2, 3, 4, 5, -1, -1]


def test_boost_and_demote_move_by_their_weight() -> None:
    assert page(Rule("boost", "director", "varda", weight=0.7))[:2] == [3, 0]
    assert page(Rule("demote", "director", "Lynch", weight=2.0))[:3] == [3, 4, 5]


def test_a_cap_holds_back_but_loses_nothing() -> None:
    assert page(Rule("cap", "director", most=1, within=3)) == [0, 3, 4, 1, 2, 5]
    assert page(Rule("cap", "director", most=1, within=2)) == [0, 3, 1, 2, 4, 5]
    assert sorted(page(Rule("cap", "director", most=1))) == list(range(6))
    assert page(Rule("cap", "genres", most=1, within=3)) == [0, 2, 4, 1, 3, 5]


def test_an_empty_field_counts_against_no_cap() -> None:
    directors = pl.Series(["", "", "Lynch", "Varda", "", ""])
    rules = Rules(rules=[Rule("cap", "director", most=1, within=3)])
    rules.fit(CORPUS.with_columns(director=directors))
    assert rules.capped(np.arange(6)).tolist() == list(range(6))


def test_rules_of_one_kind_add_up() -> None:
    filters = Rule("filter", "genres", "Drama"), Rule("filter", "director", "Varda")
    assert page(*filters) == [0, 1, 4, -1, -1, -1]
    lynch, drama = (Rule("boost", field, value, weight=0.5)
                    for field, value in (("director", "Lynch"), ("genres", "Drama")))  # fmt: skip
    assert page(lynch, drama) == [2, 0, 1, 3, 5, 4]


def test_a_pin_goes_first_for_its_words_alone_even_from_nowhere() -> None:
    pin = Rule("pin", query="The Space Heists", doc_ids=("f", "c"))
    assert page(pin, query="space heist") == [5, 2, 0, 1, 3, 4]
    assert page(pin, query="heist") == page()
    reranker = Reranker(rules=(pin,)).prepare(CORPUS, VECTORS)
    short = reranker.rerank(["space heist"], RANKED.head(2), 2)
    assert short.item_ids[0].tolist() == [5, 2] and np.isnan(short.scores[0]).all()
    barred = (pin, Rule("filter", "genres", "Drama"))
    assert page(*barred, query="space heist") == [0, 1, 4, -1, -1, -1]


def test_diversity_passes_over_a_twin() -> None:
    twins = VECTORS.copy()
    twins[1] = twins[0]
    assert page(trade_off=0.5, vectors=twins)[:2] == [0, 2]
    assert sorted(page(trade_off=0.5, vectors=twins)) == list(range(6))


def test_the_trade_off_keeps_to_its_budget() -> None:
    reranker = Reranker(ndcg_budget=0.0).prepare(CORPUS, VECTORS)
    reranker.fit(["q"], RANKED, lambda found: float(reranker.trade_off_))
    assert reranker.trade_off_ == 1.0
    reranker = Reranker(ndcg_budget=0.5).prepare(CORPUS, VECTORS)
    reranker.fit(["q"], RANKED, lambda found: 1.0)
    assert reranker.trade_off_ == min(value for value, _ in reranker.curve_)
    reranker = Reranker(ndcg_budget=0.25).prepare(CORPUS, VECTORS)
    reranker.fit(["q"], RANKED, lambda found: float(reranker.trade_off_) / 2)
    assert reranker.trade_off_ == 0.8  # a quarter of 0.5 may go: 0.35 is too little, 0.4 is not


def test_an_empty_list_stays_empty() -> None:
    nothing = Candidates(np.full((1, 3), -1), np.full((1, 3), -np.inf, np.float32))
    found = Reranker().prepare(CORPUS, VECTORS).rerank(["q"], nothing, 3)
    assert found.item_ids.tolist() == [[-1, -1, -1]]


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        (Condition("genres", "Horor"), "Horror"),
        (Condition("genre", "Horror"), "not a field"),
        (Condition("director", below=3), "below and above need"),
        (Condition("year"), "needs value, below or above"),
        (Condition("year", "soon"), "not a number"),
    ],
)
def test_a_misspelt_condition_is_said_with_the_remedy(condition, said) -> None:
    with pytest.raises(ValueError, match=said):
        condition.mask(CORPUS)


def test_above_and_below_leave_their_limits_out() -> None:
    between = Condition("year", above=1990, below=2010).mask(CORPUS)
    assert between.tolist() == [False, False, True, False, False, False]


def test_a_rule_is_checked_when_it_is_made() -> None:
    for wrong, said in (
        ({"kind": "promote", "field": "year"}, "kind"),
        ({"kind": "pin", "query": "x"}, "doc_ids"),
        ({"kind": "cap", "field": "director"}, "most"),
        ({"kind": "boost", "field": "year", "above": 1}, "weight"),
    ):
        with pytest.raises(ValueError, match=said):
            Rule(**wrong)
    with pytest.raises(ValueError, match=r"'colour' is not a field.*genres"):
        Rules(rules=[Rule("cap", "colour", most=1)]).fit(CORPUS)
    with pytest.raises(ValueError, match="not in the corpus"):
        Rules(rules=[Rule("pin", query="x", doc_ids=("zz",))]).fit(CORPUS)


def test_rules_come_from_json_and_survive_a_save(tmp_path) -> None:
    path = tmp_path / "mine.json"
    entries = [
        {"kind": "cap", "field": "director", "most": 1, "within": 3},
        {"kind": "pin", "query": "heat", "doc_ids": ["b"]},
    ]
    path.write_text(json.dumps(entries))
    reranker = Reranker(rules=read_rules(path), depth=3, trade_off=0.9).prepare(CORPUS, VECTORS)
    reranker.save(tmp_path)
    again = Reranker.load(tmp_path).prepare(CORPUS, VECTORS)
    assert (again.depth, again.trade_off_) == (3, 0.9)
    for query in ("heat", "x"):
        pages = [each.rerank([query], RANKED, 6).item_ids.tolist() for each in (reranker, again)]
        assert pages[0] == pages[1]


@pytest.mark.parametrize("text", ["{", "{}", '[{"field": "year"}]', '[{"kind": "cap", "x": 1}]'])
def test_a_broken_rules_file_is_named(tmp_path, text) -> None:
    path = tmp_path / "mine.json"
    path.write_text(text)
    with pytest.raises(ValueError, match="mine.json"):
        read_rules(path)
