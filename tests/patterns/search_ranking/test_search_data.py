"""The split by query, and what counts as one."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from data.simulated import films
from data.tables import SearchCollection
from patterns.search_ranking.config import Config, DataOptions, SplitOptions
from patterns.search_ranking.data import load, split
from patterns.search_ranking.stages.analysis import normalised


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
    assert all(len(rows) for rows in judged.relevant())


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


def beir(folder, documents=30, queries=25) -> None:
    folder.mkdir()
    with (folder / "corpus.jsonl").open("w") as file:
        for row in range(documents):
            text = f"word{row} common text about subject{row % 7}"
            file.write(json.dumps({"_id": f"d{row}", "title": f"Paper {row}", "text": text}) + "\n")
    with (folder / "queries.jsonl").open("w") as file:
        for row in range(queries):
            file.write(json.dumps({"_id": f"q{row}", "text": f"word{row} subject"}) + "\n")
    lines = ["query-id\tcorpus-id\tscore", *(f"q{row}\td{row}\t1" for row in range(queries))]
    (folder / "qrels.tsv").write_text("\n".join(lines) + "\n")


def test_a_collection_of_ones_own(tmp_path) -> None:
    beir(tmp_path / "mine")
    config = Config(dataset="beir", data=DataOptions(path=tmp_path / "mine"))
    table = load(config)
    assert isinstance(table, SearchCollection)
    splits = split(table, config)
    assert splits.documents["overview"][3].startswith("word3")
    assert np.array_equal(splits.train.grades.max(axis=1), np.ones(len(splits.train)))


def test_wrong_datasets_are_refused_with_the_remedy() -> None:
    with pytest.raises(ValueError, match=r"--data.path"):
        load(Config(dataset="beir"))
    with pytest.raises(ValueError, match="SearchCollection are needed"):
        load(Config(dataset="digits"))
