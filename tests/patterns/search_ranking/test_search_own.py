"""A collection of one's own, end to end: its fields are used, and the best list is served."""

import copy
import json
from dataclasses import replace

import numpy as np
import pytest
from fastapi.testclient import TestClient

from common.artifacts import Run
from common.serving import create_app
from patterns.search_ranking.config import PRESETS, DataOptions
from patterns.search_ranking.data import load, split
from patterns.search_ranking.evaluate import evaluate
from patterns.search_ranking.evaluation.end_to_end import FULL, JUDGED, UNJUDGED
from patterns.search_ranking.pipeline import Pipeline
from patterns.search_ranking.serve import SearchService
from patterns.search_ranking.stages.candidates.sources import BY_FIELD
from patterns.search_ranking.stages.lists import RANKED
from patterns.search_ranking.stages.rules import Condition
from patterns.search_ranking.stages.training_set import MOST, at_most, within_limit

QUERIES = 60


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Queries whose words stand in the abstract of their answer, and partly in other documents."""
    root = tmp_path_factory.mktemp("papers")
    rng = np.random.default_rng(0)
    words = [f"term{number}" for number in range(150)]
    rows = []
    for row in range(200):
        text = " ".join([f"key{row}", *rng.choice(words, 12)])
        journal = ["Acta", "Brain"][row % 2]
        known = {"journal": journal, "cited": int(row), "note": "x"}
        rows.append({"_id": f"p{row}", "title": "", "text": text, **known})
    (root / "corpus.jsonl").write_text("\n".join(map(json.dumps, rows)))
    asked = [{"_id": f"q{row}", "text": f"key{row} {rows[row]['text'].split()[-1]}"}
             for row in range(QUERIES)]  # fmt: skip
    (root / "queries.jsonl").write_text("\n".join(map(json.dumps, asked)))
    (root / "qrels").mkdir()
    for place, part in enumerate(("train", "dev", "test")):
        own = range(place, QUERIES, 3)
        (root / "qrels" / f"{part}.tsv").write_text("\n".join(f"q{row}\tp{row}\t1" for row in own))
    return root


@pytest.fixture(scope="module")
def trained(folder, tmp_path_factory):
    options = DataOptions(path=folder, facets=("journal",), numbers=("cited",))
    config = replace(PRESETS["smoke"], dataset="beir", data=options)
    splits = split(load(config), config)
    pipeline = Pipeline.from_config(config, splits)
    pipeline.fit_candidates(splits).fit_fusion(splits).fit_ranker(splits).fit_reranker(splits)
    return splits, pipeline


def test_what_validation_prefers_is_served_and_said(trained) -> None:
    splits, pipeline = trained
    lists = pipeline.lists
    assert lists.valid_ndcgs_[BY_FIELD] > 0.9  # the ranker cannot be better with 20 queries
    assert lists.served_ == BY_FIELD
    assert any("not by the ranker" in notice for notice in pipeline.notices)
    report = evaluate(pipeline, splits)
    rows = {row.name: row.values for row in report.tables[0].rows}
    assert list(rows)[-1] == f"{BY_FIELD} + re-ranking" and rows[BY_FIELD][FULL].value > 0.9
    assert [row.values["served"] for row in report.tables[1].rows] == ["yes", "", "", ""]


def test_a_page_has_the_order_of_the_list_that_is_served(trained) -> None:
    splits, pipeline = trained
    queries = pipeline.encode(splits.test.texts)
    lexical = pipeline.lists.every(queries)[BY_FIELD].item_ids[:, :5]
    merged = pipeline.lists.retrieve(queries).candidates.item_ids[:, :5]
    found = pipeline.lists.found(queries, 5).candidates
    first = pipeline.lists.order(queries, found).item_ids[:, :5]
    there = lexical >= 0  # below a short list come documents of the dense one
    assert (first[there] == lexical[there]).all() and (merged[there] != lexical[there]).any()


def test_tables_that_cannot_tell_lists_apart_are_left_out(trained) -> None:
    splits, pipeline = trained
    report = evaluate(pipeline, splits)
    assert not {JUDGED, UNJUDGED} & set(report.tables[0].columns)
    assert "MAP" in report.tables[0].columns
    names = {table.name for table in report.tables}
    assert not names & {"ordering the judged", "ablation of features"}
    assert any("orders of judged documents are left out" in text for text in report.notices)
    rules = next(table for table in report.tables if table.name == "price of a rule")
    assert [row.name for row in rules.rows[2:]] == [
        "cap: 2 of a journal",
        "boost: cited above 99.5",
    ]
    told = " ".join(row.name for table in report.tables for row in table.rows)
    assert "director" not in told and "sequels" not in told


def test_fields_numbers_and_facets_are_features(trained) -> None:
    _, pipeline = trained
    names = set(pipeline.features.names)
    assert {"bm25_text", "bm25_journal", "value_cited"} <= names
    assert not names & {"year_gap", "votes", "bm25_people", "number_match"}


def test_a_page_is_filtered_by_facets_and_numbers(trained, tmp_path) -> None:
    splits, pipeline = trained
    pipeline.save(tmp_path)
    again = Pipeline.load(tmp_path)
    filters = [Condition("journal", "acta"), Condition("cited", above=20)]
    left, right = (p.search(["key4 term1"], 5, filters=filters).hits for p in (pipeline, again))
    assert left == right and len(left[0]) == 5
    assert all(hit.row % 2 == 0 and hit.row > 20 for hit in left[0])
    (page,) = again.search([splits.test.texts[0]], 3).hits
    assert page[0].doc_id == "p" + splits.test.query_ids[0][1:]
    assert page[0].title.startswith("key") and any("of the query" in r for r in page[0].reasons)
    everything = again.search(["key4"], 10**6).hits[0]
    assert sorted(hit.row for hit in everything) == list(range(200))


def test_requests_name_facets_and_numbers(trained, tmp_path) -> None:
    _, pipeline = trained
    (tmp_path / "pipeline").mkdir()
    pipeline.save(tmp_path / "pipeline")
    run = Run(tmp_path, {"name": "search_ranking"})
    service = SearchService(run)
    assert service.example["query"].startswith("key")
    with TestClient(create_app(service, run)) as client:
        asked = {"query": "key4", "facets": {"journal": "Brain"}, "at_least": {"cited": 7},
                 "at_most": {"cited": 9}}  # fmt: skip
        found = client.post("/predict", json=asked).json()["results"]
        assert sorted(each["doc_id"] for each in found) == ["p7", "p9"]
        for change, field in (
            ({"facets": {"journal": "Brian"}}, "facets.journal"),
            ({"facets": {"genre": "x"}}, "facets.genre"),
            ({"genre": "Horror"}, "genre"),
        ):
            answer = client.post("/predict", json={"query": "key4"} | change)
            assert answer.status_code == 422 and answer.json()["error"]["field"] == field


def test_weights_of_the_user_are_taken_as_they_are_and_what_they_cost_is_said(folder) -> None:
    def fitted(*fields: str) -> Pipeline:
        options = DataOptions(path=folder, fields=fields)
        config = replace(PRESETS["smoke"], dataset="beir", data=options)
        splits = split(load(config), config)
        assert "Fields left unread: journal, cited;" in str(splits.source.notice)
        return Pipeline.from_config(config, splits).fit_candidates(splits)

    pipeline = fitted("text=2", "note=0.5")
    assert pipeline.bm25.weights == {"text": 2.0, "note": 0.5} and not pipeline.notices
    pipeline = fitted("text=0", "note=0.5")
    assert pipeline.notices[0].startswith("The given weights cost BM25 NDCG@10")
    pipeline = fitted("text", "note")
    assert {"title": 1.0, "text": 1.0, "note": 1.0} in pipeline.sources.mixes
    assert pipeline.bm25.weights in pipeline.sources.mixes and not pipeline.notices


def test_a_query_with_too_many_judgments_keeps_its_higher_grades(trained) -> None:
    judged = trained[0].train.part(slice(0, 2))
    rows = np.tile(np.arange(30), (2, 1))
    rows[1, 10:] = -1
    grades = np.zeros((2, 30), np.int8)
    grades[0, [5, 29]], grades[1, 3] = (1, 2), 1
    judged = replace(judged, rows=rows, grades=grades)
    cut, count = at_most(judged, 12, seed=0)
    assert count == 1 and cut.rows.shape == (2, 12)
    assert {5, 29} <= set(cut.rows[0].tolist()) and cut.grades[0].sum() == 3
    assert cut.rows[1].tolist() == [*range(10), -1, -1]
    assert cut.gains_of(np.array([[29, 5], [3, 0]])).tolist() == [[2.0, 1.0], [1.0, 0.0]]
    (both, same), (said,) = within_limit([judged, cut], room=MOST - 12, seed=0)
    assert np.array_equal(both.rows, cut.rows) and same is cut and said.startswith("1 queries have")
    assert within_limit([cut], room=MOST - 12, seed=0)[1] == []


def test_the_served_list_is_the_ranker_where_that_is_better(small) -> None:
    lists = small.pipeline.lists
    assert lists.served_ == RANKED and not lists.notices_
    assert max(lists.valid_ndcgs_.values()) == lists.valid_ndcgs_[RANKED]


def test_ties_go_to_the_simpler_list(small) -> None:
    judged, lists = small.splits.valid, copy.copy(small.pipeline.lists)
    found = lists.every(small.pipeline.encode(judged.texts))[RANKED]
    lists.fit({BY_FIELD: found, RANKED: found}, judged)
    assert lists.served_ == BY_FIELD
    (said,) = lists.notices_
    assert said.startswith(f"Pages are ordered by {BY_FIELD}, not by the ranker: NDCG@10")
    assert said.endswith("for both.")


def test_hindi_and_japanese_are_found_by_their_words(tmp_path) -> None:
    """Whole words of Hindi, pairs of characters of Japanese, which is said."""
    texts = ["मुझे पैसे चाहिए", "मौसम अच्छा है", "東京の天気", "大阪の料理"]
    rows = [{"_id": f"d{row}", "text": f"{text} {row}"} for row, text in enumerate(texts * 10)]
    (tmp_path / "corpus.jsonl").write_text("\n".join(map(json.dumps, rows)))
    asked = [{"_id": f"q{row}", "text": rows[row]["text"]} for row in range(40)]
    (tmp_path / "queries.jsonl").write_text("\n".join(map(json.dumps, asked)))
    (tmp_path / "qrels.tsv").write_text("\n".join(f"q{row}\td{row}\t1" for row in range(40)))
    config = replace(PRESETS["smoke"], dataset="beir", data=DataOptions(path=tmp_path))
    splits = split(load(config), config)
    pipeline = Pipeline.from_config(config, splits).fit_candidates(splits)
    found = pipeline.sources.lexical(["पैसे", "天気", "पस"], 40).item_ids
    assert {row % 4 for row in found[0] if row >= 0} == {0}
    assert {row % 4 for row in found[1] if row >= 0} == {2} and (found[2] == -1).all()
    assert any("pairs of characters" in text for text in pipeline.notices)
