"""The tagger end to end: parts, fallback with a notice, places in texts, bad input, service."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from toy_report import check_whole

from common import artifacts
from common.encoders import EncoderUnavailable
from common.evaluation.spans import counts, counts_of_tags
from data.conll import SCHEMA
from data.tables import Source, TaggedTokens
from patterns.nlp.ner import protocols
from patterns.nlp.ner.config import (
    PRESETS,
    Config,
    DataOptions,
    EncoderOptions,
    SplitOptions,
    WorldOptions,
)
from patterns.nlp.ner.data import Splits, folds, load, shared_types, split
from patterns.nlp.ner.entities.sentences import Sentences
from patterns.nlp.ner.evaluate import evaluate
from patterns.nlp.ner.evaluation.answers import answers
from patterns.nlp.ner.evaluation.slices import _fault
from patterns.nlp.ner.pipeline import Pipeline
from patterns.nlp.ner.stages import encoder as encoder_stage
from patterns.nlp.ner.train import main

LINEAR = dataclasses.replace(
    PRESETS["smoke"], model="linear", world=WorldOptions(sentences=400, ambiguous=0.0)
)
SOURCE = Source("t", "file", "t", "t", {}, "t")


def frame(*rows: tuple[str, str], documents: list[int] | None = None) -> pl.DataFrame:
    numbers = documents or list(range(len(rows)))
    values = {"tokens": [words.split() for words, _ in rows],
              "tags": [tags.split() for _, tags in rows], "document": numbers}  # fmt: skip
    return pl.DataFrame(values, schema=SCHEMA)


def plain(count: int, start: int = 0) -> pl.DataFrame:
    return frame(*[(f"Ada saw {n}", "B-person O O") for n in range(start, start + count)])


@pytest.fixture(scope="module")
def splits() -> Splits:
    return split(load(LINEAR), LINEAR)


@pytest.fixture(scope="module")
def pipeline(splits: Splits) -> Pipeline:
    return Pipeline.from_config(LINEAR, splits).fit_baseline(splits)


def test_no_sentence_lies_in_two_parts() -> None:
    train = frame(
        ("Ada sings", "B-person O"),
        ("ADA SINGS", "B-person O"),
        ("in the test", "O O O"),
        ("in the valid", "O O O"),
        ("alone", "O"),
    )
    valid = frame(("in the valid", "O O O"), ("both", "O"))
    test = frame(("In the test", "O O O"), ("both", "O"))
    parts = split(TaggedTokens(SOURCE, train, ("person",), valid, test), Config())
    assert parts.train.words == [("Ada", "sings"), ("alone",)]
    assert parts.valid.words == [("in", "the", "valid")] and len(parts.test) == 2
    assert parts.notices == (
        "3 training sentences repeat another or stand in another part too: left out",
        "1 validation sentences stand in the test part too: left out",
    )


def test_missing_parts_are_drawn_by_document() -> None:
    documents = pl.Series([n // 5 for n in range(200)], dtype=pl.Int32)
    table = TaggedTokens(SOURCE, plain(200).with_columns(document=documents), ("person",))
    parts = split(table, Config())
    found = [{int(words[2]) // 5 for words in part.words}
             for part in (parts.train, parts.valid, parts.test)]  # fmt: skip
    assert not found[0] & found[1] and not found[0] & found[2] and not found[1] & found[2]
    assert [len(part) for part in (parts.train, parts.valid, parts.test)] == [145, 15, 40]
    assert parts.notices == ("No test part was given: 40 sentences were drawn for it.",)
    assert split(table, Config()).test == parts.test
    limited = split(table, Config(split=SplitOptions(limit=7)))
    assert len(limited.train) == 7 and limited.test == parts.test


def test_of_few_documents_sentences_are_drawn_and_too_few_are_refused() -> None:
    table = TaggedTokens(SOURCE, frame(*[(f"a {n}", "O O") for n in range(20)],
                                       documents=[0] * 20), ("person",))  # fmt: skip
    assert len(split(table, Config()).test) == 4
    with pytest.raises(ValueError, match=r"split\.test_share: 1 sentences are too few"):
        split(TaggedTokens(SOURCE, plain(1), ("person",)), Config())
    with pytest.raises(ValueError, match="train: no sentence is left"):
        split(TaggedTokens(SOURCE, plain(2), ("person",), plain(1), plain(2)), Config())


def test_folds_hold_every_sentence_once_and_no_document_twice() -> None:
    documents = pl.Series([n // 4 for n in range(80)], dtype=pl.Int32)
    table = TaggedTokens(SOURCE, plain(80).with_columns(document=documents), ("person",))
    found = folds(table, Config(), 4)
    tests = [words[2] for each in found for words in each.test.words]
    assert sorted(map(int, tests)) == list(range(80))
    for each in found:
        parts = [{int(words[2]) // 4 for words in part.words} for part in
                 (each.train, each.valid, each.test)]  # fmt: skip
        assert not parts[0] & parts[2] and not parts[1] & parts[2]


def test_shared_types_are_mapped_and_others_left_out() -> None:
    train = frame(("a b c d", "B-group I-group B-product O"), ("e", "B-person"))
    table = shared_types(TaggedTokens(SOURCE, train, ("group", "person", "product")))
    assert table.types == ("ORG", "PER")
    assert table.train["tags"].to_list() == [["B-ORG", "I-ORG", "O", "O"], ["B-PER"]]


def test_it_learns_from_context_and_beats_the_gazetteer(pipeline: Pipeline, splits: Splits) -> None:
    assert pipeline.served_ is pipeline.linear and not pipeline.notices
    assert pipeline.valid_scores_["linear"] > pipeline.valid_scores_["gazetteer"]
    assert counts_of_tags(splits.test.tags, pipeline.tag(splits.test.words)).f1 > 0.8


def test_test_tags_and_words_have_no_say(pipeline: Pipeline, splits: Splits) -> None:
    garbled = Sentences([("x",)] * len(splits.test), [("O",)] * len(splits.test))
    other = dataclasses.replace(splits, test=garbled)
    again = Pipeline.from_config(LINEAR, other).fit_baseline(other)
    assert again.tag(splits.test.words) == pipeline.tag(splits.test.words)


def test_places_index_the_text_as_it_was_sent(pipeline: Pipeline) -> None:
    texts = ["Dr  Vanor\u0301 will see you, now.", "👩\u200d💻 it rained in\tKelodal \x07 all week",
             "my brother Ze\u0308lket works for Fulgen Labs", "", " ",
             "\ud800 she was born in Bay"]  # fmt: skip
    found = pipeline.find(texts)
    assert [len(each) > 0 for each in found[:3]] == [True] * 3 and found[3] == found[4] == []
    for text, entities in zip(texts, found, strict=True):
        for each in entities:
            assert text[each.start : each.end] == each.text and 0 < each.confidence <= 1
    assert [pipeline.find([text])[0] for text in texts] == found
    assert found[1][0].text == "Kelodal" and found[1][0].label == "place"
    assert pipeline.find([]) == []


def test_a_very_long_text_loses_nothing(pipeline: Pipeline) -> None:
    sentence = "she was born in Kelodal . "
    (found,) = pipeline.find([sentence * 2000])
    assert len(found) == 2000 and {each.text for each in found} == {"Kelodal"}
    assert pipeline.truncates([sentence]) == [False]


def test_the_report(pipeline: Pipeline, splits: Splits) -> None:
    report = evaluate(pipeline, splits)
    first = report.tables[0]
    assert [row.name for row in first.rows] == ["gazetteer", "linear"] and first.rows[0].baseline
    check_whole(report)
    tables = {table.name: table for table in report.tables}
    entities = sum(map(len, splits.test.spans))
    for name in ("by type", "seen and new names", "by length"):
        assert sum(float(row.values["entities"]) for row in tables[name].rows) == entities, name
    said = sum(len(each) for each in answers(pipeline, splits).final)
    of_errors = {row.name: float(row.values["entities"]) for row in tables["errors"].rows}
    assert sum(of_errors.values()) - of_errors["missed"] == said
    assert [row.values["F1 strict"] for row in tables["decoding"].rows][-1] == pytest.approx(
        [row.values["F1"] for row in tables["decoding"].rows][-1]
    )
    behaviour = {row.name: row.values for row in tables["behaviour"].rows}
    assert len(behaviour) == 8 and all(
        values["passed"] is not None for values in behaviour.values()
    )
    assert report.gain is not None and report.gain.low > 0.5
    assert len(report.figures) >= 3 and report.latency[0].samples > 50
    # Tables are published beside the code, so no sentence of a dataset may stand in them.
    published = json.dumps(report.to_dict(), ensure_ascii=False, allow_nan=False)
    assert not [
        words for words in splits.test.words if len(words) > 3 and " ".join(words) in published
    ]


def test_faults_are_told_apart() -> None:
    true = [(1, 3, "per"), (5, 6, "loc")]
    kinds = {(1, 3, "per"): "right", (1, 3, "loc"): "wrong type", (1, 2, "per"): "wrong words",
             (2, 5, "loc"): "both wrong", (7, 8, "loc"): "nothing there"}  # fmt: skip
    assert {span: _fault(span, true) for span in kinds} == kinds


def test_seen_names_are_those_of_training(pipeline: Pipeline, splits: Splits) -> None:
    from patterns.nlp.ner.evaluation.slices import by_novelty

    row = next(n for n, found in enumerate(splits.train.spans) if found)
    words, tags = splits.train.words[row], splits.train.tags[row]
    mixed = Sentences([words, *splits.test.words], [tags, *splits.test.tags])
    table = by_novelty(answers(pipeline, dataclasses.replace(splits, test=mixed)))
    found = {each.name: each.values for each in table.rows}
    assert found["seen in training"]["entities"] == len(splits.train.spans[row])
    assert found["seen in training"]["gazetteer"] > 0 and found["new"]["gazetteer"] == 0.0


def test_no_transformer_lets_the_linear_model_stand_in(
    splits: Splits, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise EncoderUnavailable(f"model: {name!r} is not there")

    monkeypatch.setattr(encoder_stage, "load_transformer", missing)
    config = dataclasses.replace(LINEAR, model="auto")
    fitted = Pipeline.from_config(config, splits).fit_baseline(splits).fit_encoder(splits)
    assert fitted.served_ is fitted.linear and fitted.encoder is None
    assert fitted.notices[0].startswith("No transformer to fine-tune, the linear model stands in")
    named = Pipeline.from_config(dataclasses.replace(LINEAR, model="no/such"), splits)
    with pytest.raises(EncoderUnavailable):
        named.fit_baseline(splits).fit_encoder(splits)


def test_the_baseline_alone_can_be_served(splits: Splits, tmp_path: Path) -> None:
    config = dataclasses.replace(LINEAR, model="gazetteer", seed=5)
    fitted = Pipeline.from_config(config, splits).fit_baseline(splits)
    fitted.save(tmp_path)
    loaded = Pipeline.load(tmp_path)
    sentences = splits.train.words[:20]
    assert loaded.spans(sentences) == fitted.spans(sentences) and loaded.seed == 5
    assert len(evaluate(fitted, splits).tables[0].rows) == 1


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: Config(model=" "), "model"),
        (lambda: Config(decoder="greedy"), "decoder"),
        (lambda: Config(dataset="conll"), "data.path"),
        (lambda: Config(data=DataOptions(train=Path("x"))), "data.train"),
        (lambda: Config("conll", data=DataOptions(Path("x"), Path("y"))), "data.train"),
        (lambda: Config(split=SplitOptions(test_share=0.9)), "split.test_share"),
        (lambda: Config(world=WorldOptions(sentences=9)), "world.sentences"),
        (lambda: Config(encoder=EncoderOptions(overlap=200)), "encoder.overlap"),
        (lambda: Config(encoder=EncoderOptions(word_dropout=2.0)), "encoder.word_dropout"),
    ],
)
def test_a_value_out_of_range_is_named(make, named: str) -> None:
    with pytest.raises(ValueError, match=rf"^{named}: "):
        make()


def test_a_dataset_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="TaggedTokens are needed"):
        load(dataclasses.replace(LINEAR, dataset="digits"))


def test_tagged_words_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.conll"
    path.write_text("".join(f"we met Ada{n} .\n\n".replace(" ", " O\n").replace("met O\nAda",
                    "met O\nAda").replace(f"Ada{n} O", f"Ada{n} I-PER").replace(".\n", ". O\n")
                    for n in range(40)))  # fmt: skip
    config = dataclasses.replace(LINEAR, dataset="conll", data=DataOptions(path=path))
    parts = split(load(config), config)
    assert parts.types == ("PER",) and "IOB1" in (parts.source.notice or "")
    fitted = Pipeline.from_config(config, parts).fit_baseline(parts)
    assert [each.text for each in fitted.find(["Then we met Ada99."])[0]] == ["Ada99"]


def test_protocols_say_where_they_belong(splits: Splits) -> None:
    table = load(LINEAR)
    with pytest.raises(ValueError, match="'wikigold-folds' is defined on wikigold"):
        protocols.run("wikigold-folds", table, LINEAR)
    with pytest.raises(ValueError, match="protocol: 'none' is not known"):
        protocols.run("none", table, LINEAR)
    config = dataclasses.replace(Config(), protocol="crossed")
    assert protocols.with_dataset(config).dataset == "wnut17"
    assert protocols.with_dataset(LINEAR) is LINEAR


def test_cross_validation_sums_its_folds() -> None:
    world = load(LINEAR)
    table = dataclasses.replace(
        world, source=SimpleNamespace(name="wikigold"), valid=None, test=None
    )
    (found,) = protocols.WikigoldFolds(count=2).run(table, LINEAR)
    assert [row.name for row in found.rows] == ["linear"]
    values = found.rows[0].values
    entities = sum(map(len, Sentences([], [*map(tuple, world.train["tags"])]).spans))
    assert values["sentences"] == world.train.height and values["entities"] == entities
    assert min(values["fold 1"], values["fold 2"]) <= values["F1"].value + 1e-9


def test_the_main_makes_an_artifact_that_answers_over_http(tmp_path: Path) -> None:
    from fastapi.testclient import TestClient

    from common.serving import create_app
    from patterns.nlp.ner.serve import EntitiesService

    path = main(dataclasses.replace(LINEAR, runs=tmp_path))
    run = artifacts.open_run("latest", name="nlp/ner", runs=tmp_path)
    assert run.path == path
    service = EntitiesService(run)
    text = "👋 she was born in Kelodal"
    with TestClient(create_app(service, run)) as client:
        body = client.post("/predict", json={"text": text}).json()
        (found,) = service.pipeline.find([text])
        assert [span["text"] for span in body["spans"]] == [each.text for each in found]
        span = next(each for each in body["spans"] if each["text"] == "Kelodal")
        assert text[span["start"] : span["end"]] == "Kelodal"
        assert span["label"] == "place" and span["confidence"] == pytest.approx(
            found[-1].confidence
        )
        assert not body["truncated"]
        sure = client.post("/predict", json={"text": text, "least_confidence": 1.0}).json()
        assert sure["spans"] == []
        for bad in ({"text": ""}, {"text": "   "}, {}, {"text": text, "least_confidence": 2},
                    {"text": 7}, {"text": "x" * 50_001}):  # fmt: skip
            assert client.post("/predict", json=bad).status_code == 422, bad
        batch = {"requests": [{"text": text}, {"text": "   "}]}
        among = client.post("/predict/batch", json=batch).json()
        assert among["error"]["field"] == "requests[1].text"


def test_counts_of_a_pipeline_are_those_of_its_spans(pipeline: Pipeline, splits: Splits) -> None:
    tagged = counts_of_tags(splits.test.tags, pipeline.tag(splits.test.words))
    found = [[span for span, _ in each] for each in pipeline.spans(splits.test.words)]
    by_span = counts(splits.test.spans, found)
    assert np.array_equal(by_span.hits, tagged.hits) and np.array_equal(by_span.said, tagged.said)
