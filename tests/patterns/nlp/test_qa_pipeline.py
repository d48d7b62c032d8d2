"""Question answering end to end: fallback with a notice, leakage, bad input, service, report."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from toy_report import check_whole

from common import artifacts
from common.encoders import pretrained
from data.tables import QuestionAnswers, Source
from patterns.nlp.qa.config import (
    PRESETS,
    Config,
    DataOptions,
    ReaderOptions,
    RetrievalOptions,
    SplitOptions,
    WorldOptions,
)
from patterns.nlp.qa.data import Splits, load, split
from patterns.nlp.qa.entities.questions import Questions
from patterns.nlp.qa.evaluate import evaluate
from patterns.nlp.qa.pipeline import Pipeline
from patterns.nlp.qa.train import main

QUICK = dataclasses.replace(
    PRESETS["smoke"],
    model="overlap",
    world=WorldOptions(articles=16),
    retrieval=RetrievalOptions(encoder="tfidf-svd"),
)


@pytest.fixture(scope="module")
def splits() -> Splits:
    return split(load(QUICK), QUICK)


def fitted(splits: Splits, config: Config = QUICK) -> Pipeline:
    pipeline = Pipeline.from_config(config, splits).fit_baseline(splits).fit_reader(splits)
    pipeline.fit_export(splits).fit_threshold(splits).fit_retrieval(splits)
    return pipeline.fit_answering(splits).fit_index(splits).fit_generator(splits)


@pytest.fixture(scope="module")
def pipeline(splits: Splits) -> Pipeline:
    return fitted(splits)


def table(*rows: tuple[str, str, str, str], questions: bool = True) -> QuestionAnswers:
    """Make a table of (id, title, text, part), with one question a paragraph."""
    schema = dict.fromkeys(("paragraph_id", "title", "text", "part"), pl.String)
    paragraphs = pl.DataFrame(rows, schema=schema, orient="row")
    asked = [(f"q{each[0]}", each[0], "What?", [each[2][:3]], [0]) for each in rows] * questions
    columns = {
        "question_id": pl.String, "paragraph_id": pl.String, "question": pl.String,
        "answers": pl.List(pl.String), "starts": pl.List(pl.Int64),
    }  # fmt: skip
    frame = pl.DataFrame(asked, schema=columns, orient="row")
    return QuestionAnswers(Source("t", "file", "t", "t", {}, "t"), paragraphs, frame)


def ids(part: Questions) -> set[str]:
    return {each.id for each in part.paragraphs}


def test_articles_are_split_and_no_paragraph_stands_in_two_parts() -> None:
    rows = [(f"{a}{n}", a, f"text {n} of {a}", "train") for a in "abcdefgh" for n in range(3)]
    rows += [("x", "new", "Of its own.", "test"), ("y", "new", "TEXT 1, of a!", "test")]
    parts = split(table(*rows), Config())
    valid = {each.title for each in parts.valid.paragraphs}
    assert len(valid) == 1 and not valid & {each.title for each in parts.train.paragraphs}
    assert ids(parts.test) == {"x", "y"}
    assert "a1" not in ids(parts.train) | ids(parts.valid)
    assert parts.notices == (
        "1 paragraphs of training or validation stand in a later part too: left out with their"
        " questions",
    )
    asked = {each.id for each in parts.train.questions + parts.valid.questions}
    assert "qa1" not in asked and len(asked) == 23


def test_parts_of_ones_own_are_kept_and_a_shared_article_is_told() -> None:
    rows = [
        ("a", "A", "first", "train"),
        ("b", "B", "second", "valid"),
        ("c", "A", "third", "test"),
    ]
    parts = split(table(*rows), Config())
    assert [ids(part) for part in (parts.train, parts.valid, parts.test)] == [{"a"}, {"b"}, {"c"}]
    assert parts.notices[0].startswith("1 articles have paragraphs in more than one part")


def test_a_part_without_questions_is_named() -> None:
    rows = [
        ("a", "A", "first", "train"),
        ("b", "B", "second", "valid"),
        ("c", "C", "third", "test"),
    ]
    with pytest.raises(ValueError, match="^train: no questions are left"):
        split(table(*rows, questions=False), Config())
    with pytest.raises(ValueError, match="^train: one paragraph alone"):
        split(table(rows[0], rows[2]), Config())


def test_a_limit_draws_training_questions() -> None:
    few = dataclasses.replace(QUICK, split=SplitOptions(limit=10))
    parts, again = split(load(few), few), split(load(few), few)
    assert len(parts.train) == 10 and parts.train.texts == again.train.texts


def test_test_questions_have_no_say(pipeline: Pipeline, splits: Splits) -> None:
    other = [dataclasses.replace(each, text="Nothing?", answers=("x",), starts=(0,))
             for each in splits.test.questions]  # fmt: skip
    garbled = dataclasses.replace(splits, test=Questions(splits.test.paragraphs, other))
    again = fitted(garbled)
    asked = splits.test.texts[:20]
    assert again.answer(asked) == pipeline.answer(asked)
    assert again.answer(asked, splits.test.contexts[:20]) == pipeline.answer(
        asked, splits.test.contexts[:20]
    )


def test_answers_are_cited_with_their_characters(pipeline: Pipeline, splits: Splits) -> None:
    texts = {each.id: each.text for each in splits.test.paragraphs}
    answers = pipeline.answer(splits.test.texts)
    for answer in answers:
        assert len(answer.found) <= pipeline.k and answer.passage is not None
        for found in answer.found:
            assert found.passage is not None
            assert texts[found.passage.id][found.start : found.end] == found.text
    right = [a.passage.id == own for a, own in zip(answers, splits.test.paragraph_ids, strict=True)
             if a.passage]  # fmt: skip
    assert np.mean(right) > 0.6
    given = pipeline.answer(splits.test.texts, splits.test.contexts)
    for answer, context in zip(given, splits.test.contexts, strict=True):
        assert all(context[f.start : f.end] == f.text for f in answer.found)


def test_questions_without_an_answer_are_answered_with_less_confidence(
    pipeline: Pipeline, splits: Splits
) -> None:
    answers = pipeline.answer(splits.test.texts, splits.test.contexts)
    sure = np.array([each.confidence for each in answers])
    answerable = np.array([each.answerable for each in splits.test.questions])
    assert sure[~answerable].mean() < sure[answerable].mean() - 0.02
    assert {each.abstained for each in answers if each.confidence < 1e-3} <= {True}


def test_no_transformer_means_word_overlap_and_a_notice(
    splits: Splits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pretrained, "_packaged_minilm", lambda: None)
    config = dataclasses.replace(QUICK, model="auto")
    pipeline = Pipeline.from_config(config, splits).fit_baseline(splits).fit_reader(splits)
    assert pipeline.served_ is pipeline.baseline and pipeline.trained_ is None
    assert pipeline.notices[0].startswith("No transformer to fine-tune, word overlap answers: ")
    named = dataclasses.replace(QUICK, model="no/such-model")
    with pytest.raises(pretrained.EncoderUnavailable, match="no/such-model"):
        Pipeline.from_config(named, splits).fit_baseline(splits).fit_reader(splits)


def test_the_baseline_serves_where_validation_prefers_it(splits: Splits, tmp_path: Path) -> None:
    from planted_questions import tiny_reader

    tiny = tiny_reader(tmp_path)
    options = ReaderOptions(
        epochs=1, max_length=48, train_length=48, stride=8, max_question=16, max_answer=4,
        precision="fp32",
    )  # fmt: skip
    config = dataclasses.replace(QUICK, model=tiny, reader=options, device="cpu")
    pipeline = Pipeline.from_config(config, splits).fit_baseline(splits).fit_reader(splits)
    assert pipeline.served_ is pipeline.baseline and pipeline.trained_ is not None
    assert pipeline.notices[0].startswith("word overlap is served, not ")


@pytest.fixture(scope="module")
def report(pipeline: Pipeline, splits: Splits) -> Any:
    return evaluate(pipeline, splits)


def test_the_report_is_whole(report: Any, splits: Splits) -> None:
    tables = {each.name: each for each in report.tables}
    assert {"question answering", "retrieval", "without a context", "abstention", "no answer",
            "slices", "behaviour"} == set(tables)  # fmt: skip
    first = report.tables[0]
    assert first.rows[0].baseline and "48 of 48 test questions, in" in first.caption
    retrieval = {row.name: row.values for row in tables["retrieval"].rows}
    assert list(retrieval) == ["BM25", "dense", "hybrid"]
    assert retrieval["hybrid"]["recall@5"].value <= retrieval["hybrid"]["recall@20"].value
    ways = tables["without a context"].rows
    assert [row.name for row in ways][-2:] == ["+ abstention", "reader in the right context"]
    assert all(row.values["supported"] == 1.0 for row in ways[:-1])
    assert len(report.figures) >= 3 and len(report.latency) == 2
    check_whole(report)
    published = json.dumps(report.to_dict(), ensure_ascii=False, allow_nan=False)
    texts = [each.text for each in splits.test.paragraphs] + splits.test.texts
    assert not [text for text in texts if text in published]


def test_the_checklist_tells_what_a_reader_gets_wrong(report: Any) -> None:
    checks = {row.name: row.values for row in report.tables[-1].rows}
    assert checks["finds where somebody lives"]["kind"] == "minimum functionality"
    assert checks["a question without its mark"]["passed"] == 1.0
    assert checks["surer with the sentence that tells than without"]["passed"] > 0.9
    assert all(each["cases"] >= 5 for each in checks.values())


def test_what_is_saved_answers_alike(pipeline: Pipeline, splits: Splits, tmp_path: Path) -> None:
    pipeline.save(tmp_path)
    loaded = Pipeline.load(tmp_path)
    asked, contexts = splits.test.texts[:10], splits.test.contexts[:10]
    assert loaded.answer(asked) == pipeline.answer(asked)
    assert loaded.answer(asked, contexts) == pipeline.answer(asked, contexts)
    assert loaded.example_["context"] in {each.text for each in splits.train.paragraphs}


def test_all_parts_can_be_searched(splits: Splits, pipeline: Pipeline) -> None:
    assert pipeline.retriever is not None
    held = {each.id for each in pipeline.retriever.passages_}
    assert held == ids(splits.test)
    config = dataclasses.replace(
        QUICK, retrieval=RetrievalOptions(encoder="tfidf-svd", index="all")
    )
    whole = Pipeline.from_config(config, splits).fit_baseline(splits)
    whole.fit_threshold(splits).fit_retrieval(splits).fit_answering(splits).fit_index(splits)
    assert whole.retriever is not None
    assert {each.id for each in whole.retriever.passages_} == held | ids(splits.train) | ids(
        splits.valid
    )
    asked = splits.train.questions[0]
    (answer,) = whole.answer([asked.text])
    assert answer.passage is not None and answer.passage.id in ids(splits.train)


@pytest.mark.parametrize(
    ("questions", "contexts", "named"),
    [([" "], None, "questions"), (["Who?"], ["\n"], "contexts")],
)
def test_an_empty_text_is_refused(
    pipeline: Pipeline, questions: list[str], contexts: list[str] | None, named: str
) -> None:
    with pytest.raises(ValueError, match=rf"^{named}\[0\]: it is empty"):
        pipeline.answer(questions, contexts)
    assert pipeline.answer([]) == [] and pipeline.answer([], []) == []


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: Config(k=0), "k"),
        (lambda: Config(generator="gpt5"), "generator"),
        (lambda: Config(model=" "), "model"),
        (lambda: Config(dataset="squad-json"), "data.path"),
        (lambda: Config("squad-json", data=DataOptions(Path("x"), Path("y"))), "data.train"),
        (lambda: Config(world=WorldOptions(articles=2)), "world.articles"),
        (lambda: Config(reader=ReaderOptions(max_length=64)), "reader.max_length"),
        (lambda: Config(reader=ReaderOptions(negatives=1.0)), "reader.negatives"),
        (
            lambda: Config(retrieval=RetrievalOptions(chunk_words=40, overlap_words=40)),
            "retrieval.overlap_words",
        ),
    ],
)
def test_a_value_out_of_range_is_named(make, named: str) -> None:
    with pytest.raises(ValueError, match=rf"^{named}: "):
        make()


def test_questions_of_ones_own(tmp_path: Path) -> None:
    paragraphs = [
        {"title": f"Page {n}", "paragraphs": [{"context": f"Visitor {n} lives in Rome{n}.", "qas": [
            {"id": str(n), "question": f"Where does visitor {n} live?",
             "answers": [{"text": f"Rome{n}", "answer_start": 0}]}]}]}
        for n in range(10)
    ]  # fmt: skip
    (tmp_path / "mine.json").write_text(json.dumps({"data": paragraphs}))
    data = DataOptions(path=tmp_path / "mine.json")
    parts = split(load(own := dataclasses.replace(QUICK, dataset="squad-json", data=data)), own)
    assert (len(parts.train), len(parts.valid), len(parts.test)) == (7, 1, 2)
    assert "were found" in (parts.source.notice or "")
    answer = fitted(parts, own).answer(["Where does visitor 3 live?"], ["Visitor 3 lives in Lima."])
    assert answer[0].found[0].text == "Lima"


def test_the_main_makes_an_artifact_that_answers_over_http(tmp_path: Path) -> None:
    from fastapi.testclient import TestClient

    from common.serving import create_app
    from patterns.nlp.qa.serve import QuestionService

    path = main(dataclasses.replace(QUICK, runs=tmp_path))
    run = artifacts.open_run("latest", name="nlp/qa", runs=tmp_path)
    assert run.path == path and (path / "report.html").stat().st_size > 10_000
    service = QuestionService(run)
    service.pipeline.given_["word overlap"].threshold_ = 0.0  # of 12 questions it is anything
    context = "Some old town 🎬. The mill of Kelwick employs 42 people. Nothing else."
    asked = {"question": "How many people work in the mill?", "context": context}
    with TestClient(create_app(service, run)) as client:
        body = client.post("/predict", json=asked).json()
        assert body["answer"] == "42" and not body["abstained"] and not body["truncated"]
        found = body["answers"][0]
        assert context[found["start"] : found["end"]] == found["text"] == "42"
        assert found["passage"] == found["citation"] == ""
        searched = client.post("/predict", json={"question": service.example["question"]}).json()
        first = searched["answers"][0]
        place = first["start"] - first["passage_start"]
        assert first["passage"][place : place + len(first["text"])] == first["text"]
        assert first["title"] in first["citation"]
        both = [asked, {"question": service.example["question"]}]
        mixed = client.post("/predict/batch", json={"requests": both}).json()["responses"]
        for one, other in zip(mixed, (body, searched), strict=True):
            assert one["answers"] == other["answers"] and one["answer"] == other["answer"]
        bad: tuple[dict[str, object], ...] = (
            {"question": ""}, {"question": " "}, asked | {"context": ""}, asked | {"context": " "},
            {}, asked | {"k": 0}, {"question": "x" * 1001}, asked | {"context": "x" * 50_001},
        )  # fmt: skip
        for each in bad:
            assert client.post("/predict", json=each).status_code == 422, each
        among = client.post(
            "/predict/batch", json={"requests": [asked, asked | {"context": " "}]}
        ).json()
        assert among["error"]["field"] == "requests[1].context"
