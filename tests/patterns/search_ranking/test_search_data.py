"""The split by query, and what counts as one."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from common.retrieval.analysis import normalised
from data.simulated import films
from data.tables import SearchCollection
from patterns.search_ranking.config import Config, DataOptions, SplitOptions
from patterns.search_ranking.data import load, split


def test_no_query_nor_a_similar_one_is_in_two_splits(small) -> None:
    parts = [small.splits.train, small.splits.valid, small.splits.test]
    for ids in ([set(part.query_ids) for part in parts],
                [{normalised(text) for text in part.texts} for part in parts]):  # fmt: skip
        assert not (ids[0] & ids[1] or ids[0] & ids[2] or ids[1] & ids[2])
    assert sum(map(len, parts)) == small.table.queries.height
    assert len(parts[2]) == pytest.approx(0.2 * small.table.queries.height, rel=0.2)


def test_near_identical_queries_stay_together() -> None:
    base = films.generate(seed=0, films=60, queries=40)
    twins = base.queries.with_columns(
        query_id=pl.col("query_id") + "b", query="The " + pl.col("query").str.to_uppercase() + "!"
    )
    table = replace(
        base,
        queries=pl.concat([base.queries, twins]),
        judgments=pl.concat(
            [base.judgments, base.judgments.with_columns(pl.col("query_id") + "b")]
        ),
    )
    splits = split(table, Config(split=SplitOptions(valid_share=0.2, test_share=0.3)))
    for part in (splits.train, splits.valid, splits.test):
        ids = set(part.query_ids)
        assert {name.removesuffix("b") for name in ids} == {
            name for name in ids if not name.endswith("b")
        }
        assert len(ids) % 2 == 0


def test_rows_point_at_the_judged_documents(small) -> None:
    doc_ids = small.splits.documents["doc_id"].to_list()
    judged = small.splits.test
    truth = {(query, doc): grade for query, doc, grade in small.table.judgments.iter_rows()}
    for place in range(len(judged)):
        for row, grade in zip(judged.rows[place], judged.grades[place], strict=True):
            if row >= 0:
                assert truth[judged.query_ids[place], doc_ids[row]] == grade
    assert (judged.grades > 0).any(axis=1).all()


def test_unknown_documents_and_queries_without_an_answer_are_left_out_and_said() -> None:
    base = films.generate(seed=0, films=60, queries=40)
    judgments = pl.concat(
        [
            base.judgments.with_columns(
                grade=pl.when(pl.col("query_id") == "q0").then(0).otherwise(pl.col("grade"))
            ).cast({"grade": pl.Int8}),
            pl.DataFrame(
                {"query_id": ["q1"], "doc_id": ["gone"], "grade": [2]},
                schema=base.judgments.schema,
            ),
        ]
    )
    splits = split(replace(base, judgments=judgments), Config())
    names = {*splits.train.query_ids, *splits.valid.query_ids, *splits.test.query_ids}
    assert "q0" not in names and len(names) == 39
    assert "1 queries without a relevant" in splits.notices[0] and len(splits.notices) == 1
    assert splits.source is base.source and not split(base, Config()).notices


def test_too_few_queries_are_refused() -> None:
    base = films.generate(seed=0, films=60, queries=20)
    few = replace(base, queries=base.queries.head(5))
    with pytest.raises(ValueError, match="queries: 5"):
        split(few, Config())


def beir(folder, documents=30, queries=25, parts=("",), ids="q") -> None:
    """Write a collection whose query i has the one answer i; queries go to the parts in turn."""
    folder.mkdir()
    with (folder / "corpus.jsonl").open("w") as file:
        for row in range(documents):
            text = f"word{row} common text about subject{row % 7}"
            file.write(json.dumps({"_id": f"d{row}", "title": f"Paper {row}", "text": text}) + "\n")
    with (folder / "queries.jsonl").open("w") as file:
        for row in range(queries):
            file.write(json.dumps({"_id": f"{ids}{row}", "text": f"word{row} subject"}) + "\n")
    for place, part in enumerate(parts):
        own = range(place, queries, len(parts))
        judged = [f"{ids}{row}\td{(row + (ids == 'd')) % documents}\t1" for row in own]
        path = folder / "qrels" / f"{part}.tsv" if part else folder / "qrels.tsv"
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(["query-id\tcorpus-id\tscore", *judged]) + "\n")


def own(folder, **options) -> Config:
    return Config(dataset="beir", data=DataOptions(path=folder, **options))


def test_a_collection_of_ones_own(tmp_path) -> None:
    beir(tmp_path / "mine")
    config = own(tmp_path / "mine")
    table = load(config)
    assert isinstance(table, SearchCollection)
    splits = split(table, config)
    assert splits.documents["text"][3].startswith("word3")
    assert np.array_equal(splits.train.grades.max(axis=1), np.ones(len(splits.train)))
    assert splits.train.relevant_only and not splits.test.comparable
    assert splits.notices == (
        "No split is given: the queries were drawn into train, valid and test (70%, 10% and 20%).",
    )


@pytest.mark.parametrize(
    ("parts", "sizes", "said"),
    [
        (("train", "dev", "test"), (20, 20, 20), "kept: 20 test, 20 valid, 20 train queries."),
        (("train", "test"), (20, 10, 30), "drawn from the training queries: 10 of 30."),
        (("dev", "test"), (20, 10, 30), "drawn from the dev queries: 10 of 30."),
        (("train", "dev"), (20, 10, 30), "No test is given: dev is the test. The given split is"),
        (("test",), (42, 6, 12), "Judgments of test alone are given: the queries were drawn"),
    ],
)
def test_a_given_split_is_kept(tmp_path, parts, sizes, said) -> None:
    beir(tmp_path / "mine", documents=60, queries=60, parts=parts)
    config = own(tmp_path / "mine")
    splits = split(load(config), config)
    assert (len(splits.train), len(splits.valid), len(splits.test)) == sizes
    assert said in " ".join(splits.notices)
    if len(parts) > 1:
        last = range(len(parts) - 1, 60, len(parts))
        assert set(splits.test.query_ids) == {f"q{row}" for row in last}


def test_a_query_that_is_a_document_must_not_find_itself(tmp_path) -> None:
    beir(tmp_path / "mine", documents=25, queries=25, ids="d")
    config = own(tmp_path / "mine")
    splits = split(load(config), config)
    for part in (splits.train, splits.valid, splits.test):
        assert [f"d{row}" for row in part.own] == list(part.query_ids)
    assert splits.notices[0].startswith("25 queries have the id of a document")


def test_the_options_of_own_documents_are_checked(tmp_path) -> None:
    weights = DataOptions(fields=("title=2", "text", "a=b=0.5")).field_weights()
    assert weights == {"title": 2.0, "text": 1.0, "a=b": 0.5}
    assert DataOptions(fields=("title", "text=1")).weighted
    assert not DataOptions(fields=("title", "text")).weighted
    for wrong in (("title=x",), ("=1",), ("title=-1",), ("title=nan",), ("title=0",)):
        with pytest.raises(ValueError, match=r"data\.fields"):
            DataOptions(fields=wrong)
    with pytest.raises(ValueError, match="leave out --data.facets"):
        Config(dataset="msrd", data=DataOptions(facets=("genres",)))
    with pytest.raises(ValueError, match="leave out --data.encoding"):
        Config(dataset="beir", data=DataOptions(path=Path("mine"), encoding="cp1252"))


def test_wrong_datasets_are_refused_with_the_remedy() -> None:
    with pytest.raises(ValueError, match=r"--data.path"):
        load(Config(dataset="beir"))
    with pytest.raises(ValueError, match="SearchCollection are needed"):
        load(Config(dataset="digits"))
