"""The translator end to end: leakage, pairs of languages, bad input, service, stream."""

from __future__ import annotations

import dataclasses
import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest import mock

import polars as pl
import pytest
from planted_translation import WORLD, learned, small_translator
from toy_report import check_whole

from common import artifacts
from common.evaluation.report import Report
from data.tables import ParallelTexts, Source
from patterns.nlp.translation.config import (
    PRESETS,
    Config,
    DataOptions,
    SearchOptions,
    SplitOptions,
    TrainingOptions,
    TransformerOptions,
    WorldOptions,
)
from patterns.nlp.translation.data import Splits, load, split
from patterns.nlp.translation.entities.pairs import Pairs
from patterns.nlp.translation.evaluate import evaluate
from patterns.nlp.translation.evaluation import behaviour, quality, searching
from patterns.nlp.translation.evaluation.quality import gain
from patterns.nlp.translation.pipeline import Pipeline
from patterns.nlp.translation.stages.bleu import bleu, counts
from patterns.nlp.translation.stages.lexicon import Lexicon

SMALL = dataclasses.replace(PRESETS["smoke"], world=WorldOptions(texts=WORLD))
SOURCE = Source("t", "file", "t", "t", {}, "t")


@pytest.fixture(scope="module")
def splits() -> Splits:
    return split(load(SMALL), SMALL)


@pytest.fixture(scope="module")
def pipeline(splits: Splits) -> Pipeline:
    """Return a pipeline with a translator that learned for seconds."""
    made = Pipeline.from_config(SMALL, splits).fit_baseline(splits).fit_subwords(splits)
    made.translator = learned()
    return made.fit_search(splits)


@pytest.fixture(scope="module")
def report(pipeline: Pipeline, splits: Splits) -> Report:
    with ExitStack() as fewer:
        for module, name, count in (
            (quality, "TIMED", 8), (searching, "SEARCHED", 16), (searching, "TIMED", 8),
            (behaviour, "CASES", 10),
        ):  # fmt: skip
            fewer.enter_context(mock.patch.object(module, name, count))
        return evaluate(pipeline, splits)


def table(train: list[tuple[str, str]], test: list[tuple[str, str]], **more: Any) -> ParallelTexts:
    frames = [
        pl.DataFrame(rows, schema={"en": pl.String, "de": pl.String}, orient="row")
        for rows in (train, test)
    ]
    return ParallelTexts(SOURCE, *frames, ("en", "de"), **more)


def test_no_pair_lies_in_two_parts() -> None:
    train = [("A dog.", "Ein Hund."), ("a DOG", "Ein Hund"), ("A cat", "Eine Katze")]
    train += [
        ("Two", "Zwei"),
        ("Two", "Zwei"),
        ("Two", "Zwo"),
        ("Three", "drei!"),
        ("Same", "Same"),
    ]
    train += [(f"Number {n} of many", f"Nummer {n} von vielen") for n in range(40)]
    parts = split(table(train, [("A dog", "Der Hund"), ("Tre", "Drei")]), Config())
    kept = [*parts.train.sources, *parts.valid.sources]
    assert not {"A dog.", "a DOG", "Three"} & set(kept)  # Three by its translation
    assert kept.count("Two") == 2 and len(kept) == 44 and len(parts.valid) == 2
    assert parts.notices[:2] == (
        "4 training pairs repeat another, or stand in the validation or test part on one side:"
        " left out",
        "1 training pairs have the same text on both sides; they were kept",
    )


def test_a_validation_part_is_kept_and_uneven_pairs_are_told() -> None:
    valid = pl.DataFrame({"en": ["New", "A dog"], "de": ["Neu", "Ein Hund"]})
    train = [(f"Number {n}", f"Nummer {n}") for n in range(20)]
    train += [("No", "ein zwei drei vier fünf sechs sieben acht"), ("New!", "Neues")]
    parts = split(table(train, [("A dog", "x")], valid=valid), Config())
    assert parts.valid.sources == ["New"] and "New!" not in parts.train.sources
    assert any("1 training pairs have one side at least 4 times" in said for said in parts.notices)
    limited = split(
        table(train, [("A dog", "x")], valid=valid), Config(split=SplitOptions(limit=5))
    )
    assert len(limited.train) == 5 and limited.valid.sources == ["New"]


def test_a_pair_of_languages_is_chosen_and_turned_round() -> None:
    found = table([("one", "eins"), ("two", "zwei"), ("three", "drei")], [("four", "vier")])
    assert split(found, Config()).languages == ("en", "de")
    turned = split(found, Config(pair="de-en"))
    assert turned.test == Pairs(["vier"], ["four"]) and turned.languages == ("de", "en")
    with pytest.raises(ValueError, match="^pair: t has no 'fr', but en, de; give --pair en-de"):
        split(found, Config(pair="en-fr"))


def test_test_texts_have_no_say(splits: Splits) -> None:
    def fitted(parts: Splits) -> Pipeline:
        small = dataclasses.replace(
            SMALL, training=TrainingOptions(epochs=1), search=SearchOptions(beam=1)
        )
        made = Pipeline.from_config(small, parts).fit_baseline(parts).fit_subwords(parts)
        return made.fit_transformer(parts).fit_search(parts)

    few = dataclasses.replace(
        splits, train=splits.train.chosen(range(100)), valid=splits.valid.chosen(range(10))
    )
    garbled = Pairs(["nothing"] * 5, ["gar nichts"] * 5)
    ours, theirs = fitted(few), fitted(dataclasses.replace(few, test=garbled, further={}))
    texts = splits.test.sources[:5]
    assert ours.valid_scores_ == theirs.valid_scores_
    assert ours.best(texts, by="Transformer") == theirs.best(texts, by="Transformer")


def test_what_validation_prefers_is_served(pipeline: Pipeline, splits: Splits) -> None:
    assert pipeline.served_ == "Transformer" and not pipeline.notices
    weak = Pipeline.from_config(SMALL, splits).fit_baseline(splits)
    assert weak.translator is not None
    weak.translator = small_translator(
        splits.train.chosen(range(20)), splits.valid, epochs=1, learning_rate=1e-6
    )
    weak.fit_search(splits)
    assert weak.served_ == Lexicon.name
    assert "word by word is served, not Transformer: BLEU on 68 valid" in weak.notices[0]
    (answer,) = weak.translate(["A red dog sleeps. The girl waits."], n=3)
    assert (answer.score, answer.others, answer.sentences) == (None, (), 2)
    assert (
        "".join(weak.stream("A red dog sleeps."))
        == weak.translate(["A red dog sleeps."])[0].translation
    )


@pytest.mark.parametrize("served", ["Transformer", Lexicon.name])
def test_saved_and_loaded_gives_equal_answers(
    pipeline: Pipeline, splits: Splits, tmp_path: Path, served: str
) -> None:
    kept, pipeline.served_ = pipeline.served_, served
    try:
        pipeline.save(tmp_path)
        texts = [*splits.test.sources[:10], "日本語 🎬. Zoë\nsings!"]
        assert Pipeline.load(tmp_path).translate(texts, n=2) == pipeline.translate(texts, n=2)
    finally:
        pipeline.served_ = kept


@pytest.mark.parametrize("empty", ["", "  \n\t", "\u200b\ufeff", "\x00"])
def test_an_empty_text_is_refused_and_named(pipeline: Pipeline, empty: str) -> None:
    with pytest.raises(ValueError, match=r"texts\[1\]: it is empty"):
        pipeline.translate(["A dog.", empty])


def test_odd_texts_are_answered(pipeline: Pipeline) -> None:
    odd = [
        "\ud800 half",
        "<b>A dog</b>",
        "a" * 3000,
        "\x1b[31mA dog\x00",
        "🎬" * 50,
        "猫が寝る。犬",
    ]
    answers = pipeline.translate(odd)
    assert len(answers) == len(odd) and answers[2].cut and not answers[1].cut
    for answer in answers:
        answer.translation.encode()  # no half surrogates
        assert "\ufffd" not in answer.translation


def test_sentences_are_translated_one_by_one(pipeline: Pipeline, splits: Splits) -> None:
    first, second = splits.test.sources[:2]
    (both,) = pipeline.translate([f"{first}  {second}\n\n{first}"])
    a, b = (answer.translation for answer in pipeline.translate([first, second]))
    assert both.translation == f"{a}  {b}\n\n{a}" and both.sentences == 3


def test_a_sentence_without_a_letter_stays(pipeline: Pipeline, splits: Splits) -> None:
    text = splits.test.sources[0]
    plain, mixed, none = pipeline.translate([text, f"{text} 🎬🎬\n12 + 3!", "🎬 7"], n=2)
    assert mixed.translation == f"{plain.translation} 🎬🎬\n12 + 3!" and mixed.score == plain.score
    assert none.translation == "🎬 7" == "".join(pipeline.stream("🎬 7")) and not none.others


def test_n_best_differ_and_fall(pipeline: Pipeline, splits: Splits) -> None:
    (answer,) = pipeline.translate([splits.test.sources[0]], beam=2, n=5)
    texts = [answer.translation, *(text for text, _ in answer.others)]
    assert answer.score is not None
    scores = [answer.score, *(score for _, score in answer.others)]
    assert len(texts) == 5 and scores == sorted(scores, reverse=True)


def test_the_report_leads_with_the_baseline(report: Report, splits: Splits) -> None:
    first = report.tables[0]
    assert [row.name for row in first.rows] == [
        "word by word", "Transformer, greedy", "Transformer, beam 4",
    ]  # fmt: skip
    assert first.rows[0].baseline and report.served == "Transformer, beam 4"
    assert report.gain is not None and report.gain.low is not None and report.gain.low > 0
    tables = {table.name: table for table in report.tables}
    assert {"gain", "search", "cache", "by length", "subwords", "behaviour"} <= set(tables)
    lengths = tables["by length"]
    assert sum(float(row.values["sentences"]) for row in lengths.rows) == len(splits.test)  # type: ignore[arg-type]
    assert tables["further test parts"].rows[0].name == "unseen combinations"
    assert tables["subwords"].rows[0].values["come back equal"] == 1.0
    passed = {row.name: row.values["passed"] for row in tables["behaviour"].rows}
    assert passed["blanks around it change nothing"] == 1.0
    assert passed["the reference is likelier given its own source"] > 0.9  # type: ignore[operator]
    check_whole(report)
    assert len(report.figures) >= 4 and report.latency[0].samples == 8
    # Tables are published beside the code, so no text of a dataset may stand in them.
    published = json.dumps(report.to_dict(), ensure_ascii=False)
    texts = {*splits.test.sources, *splits.test.targets}
    assert not [text for text in texts if text in published]
    assert json.dumps(report.to_dict(), allow_nan=False)


def test_a_perfect_system_gains_what_is_missing() -> None:
    right = [f"the cat number {n} sat on the mat" for n in range(20)]
    wrong = [text.replace("cat", "dog") for text in right]
    found = gain(counts(right, right), counts(wrong, right), seed=0)
    assert found.value == pytest.approx(100 - bleu(wrong, right))
    assert found.low is not None and found.low > 0


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: Config(pair="en"), "pair"),
        (lambda: Config(pair="en-en"), "pair"),
        (lambda: Config(dataset="parallel"), "data.path"),
        (lambda: Config(data=DataOptions(train=Path("x"))), "data.train"),
        (
            lambda: Config("parallel", data=DataOptions(path=Path("x"), train=Path("y"))),
            "data.path",
        ),
        (lambda: Config("parallel", data=DataOptions(source=Path("x"))), "data.target"),
        (lambda: Config(transformer=TransformerOptions(width=255)), "transformer.width"),
        (lambda: Config(transformer=TransformerOptions(heads=3)), "transformer.heads"),
        (lambda: Config(training=TrainingOptions(learning_rate=0.0)), "training.learning_rate"),
        (lambda: Config(training=TrainingOptions(schedule="one-cycle")), "training.schedule"),
        (lambda: Config(world=WorldOptions(texts=10)), "world.texts"),
    ],
)
def test_a_value_out_of_range_is_named(make: Any, named: str) -> None:
    with pytest.raises(ValueError, match=rf"^{named}: "):
        make()


def test_a_dataset_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="ParallelTexts are needed"):
        load(dataclasses.replace(SMALL, dataset="banking77"))


def test_texts_of_ones_own(tmp_path: Path) -> None:
    words = {"open": "öffne", "close": "schließe", "door": "Tür", "box": "Kiste"}
    for language, pick in (("en", 0), ("de", 1)):
        lines = [
            f"Please {verb[pick]} the {noun[pick]} {n}."
            for n in range(30)
            for verb in list(words.items())[:2]
            for noun in list(words.items())[2:]
        ]
        (tmp_path / f"train.{language}").write_text("\n".join(lines) + "\n")
    data = DataOptions(path=tmp_path)
    config = dataclasses.replace(SMALL, dataset="parallel", data=data, pair="en-de")
    parts = split(load(config), config)
    assert parts.languages == ("en", "de") and len(parts.test) == 12
    lexicon = Pipeline.from_config(config, parts).fit_baseline(parts)
    assert "öffne" in lexicon.translate(["Please open the box 3."])[0].translation


def test_the_artifact_answers_over_http_and_streams(
    pipeline: Pipeline, report: Report, splits: Splits, tmp_path: Path
) -> None:
    from fastapi.testclient import TestClient

    from common.serving import create_app
    from patterns.nlp.translation.serve import TranslationService

    config = dataclasses.replace(SMALL, runs=tmp_path)
    artifacts.save(pipeline, report, config, name="nlp/translation")
    run = artifacts.open_run("latest", name="nlp/translation", runs=tmp_path)
    service = TranslationService(run)
    text = splits.test.sources[0]
    (answer,) = service.pipeline.translate([text], n=2)
    with TestClient(create_app(service, run)) as client:
        body = client.post("/predict", json={"text": text, "n": 2}).json()
        assert body["translation"] == answer.translation and body["truncated"] is False
        assert [each["text"] for each in body["others"]] == [answer.others[0][0]]
        among = {"requests": [{"text": text, "beam": 1}, {"text": " \u200b"}]}
        refused = client.post("/predict/batch", json=among).json()
        assert refused["error"]["field"] == "requests[1].text"
        assert client.post("/predict/stream", json={"text": " "}).status_code == 422
        for asked in ({"beam": 1}, {"beam": 2, "n": 2}):
            events = client.post("/predict/stream", json={"text": text, **asked}).text
            lines = [line[6:] for line in events.splitlines() if line.startswith("data: ")]
            *pieces, last = map(json.loads, lines)
            draft = "".join(each["text"] for each in pieces)
            assert len(pieces) > 3
            assert draft.strip() == service.pipeline.translate([text], beam=1)[0].translation
            (whole,) = service.pipeline.translate([text], **asked)
            assert last["translation"] == whole.translation
            assert len(last["others"]) == len(whole.others)
    assert service.example["text"] in splits.train.sources
