"""The text classifier end to end: fallback with a notice, leakage, bad input, service, resume."""

from __future__ import annotations

import copy
import dataclasses
import json
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl
import pytest
from toy_report import check_whole

from common import artifacts, console
from common.encoders import pretrained
from data.tables import Source, TextClassification
from patterns.nlp.classification.config import (
    PRESETS,
    Config,
    DataOptions,
    EncoderOptions,
    SplitOptions,
    StudentOptions,
    WorldOptions,
)
from patterns.nlp.classification.data import Splits, load, split
from patterns.nlp.classification.entities.texts import Texts
from patterns.nlp.classification.evaluate import evaluate
from patterns.nlp.classification.pipeline import Pipeline
from patterns.nlp.classification.stages.score import score, score_name
from patterns.nlp.classification.stages.tfidf import TfidfClassifier
from patterns.nlp.classification.train import main

FEATURES = dataclasses.replace(PRESETS["smoke"], model="tfidf-svd")


@pytest.fixture(scope="module")
def splits() -> Splits:
    return split(load(FEATURES), FEATURES)


def fitted(splits: Splits, config: Config = FEATURES) -> Pipeline:
    pipeline = Pipeline.from_config(config, splits).fit_baseline(splits).fit_encoder(splits)
    return pipeline.fit_export(splits).fit_temperature(splits)


@pytest.fixture(scope="module")
def both(splits: Splits) -> Pipeline:
    """Return a pipeline whose baseline is as good as its model, as on simulated intents."""
    return fitted(splits)


@pytest.fixture(scope="module")
def pipeline(both: Pipeline, splits: Splits) -> Pipeline:
    """Return the same as if validation preferred the model."""
    preferred = copy.copy(both)
    preferred.served_, preferred.notices = both.features, []
    return preferred.fit_temperature(splits)


def test_it_learns(pipeline: Pipeline, splits: Splits) -> None:
    predicted = pipeline.logits(splits.test.texts).argmax(axis=1)
    assert (predicted == splits.test.labels).mean() > 0.85


def test_no_text_lies_in_two_parts() -> None:
    texts = ["Card lost!", "card lost", "lost the card", "top up now", "TOP UP: now", "top it up"]
    texts += ["!!!", "🎬"]  # nothing but signs, and yet not alike
    train = pl.DataFrame(
        {"text": [*texts, *(f"my card {n}" for n in range(9)), *(f"top up {n}" for n in range(9))],
         "label": [0, 0, 0, 1, 1, 1, 0, 1, *[0] * 9, *[1] * 9]},
        schema={"text": pl.String, "label": pl.Int32},
    )  # fmt: skip
    test = pl.DataFrame(
        {"text": ["Lost the card?", "My card 3."], "label": [0, 0]},
        schema={"text": pl.String, "label": pl.Int32},
    )
    source = Source("t", "file", "t", "t", {}, "t")
    parts = split(TextClassification(source, train, test, ("card", "top_up")), Config())
    kept = parts.train.texts + parts.valid.texts
    assert parts.notices == (
        "4 training texts repeat another or stand in the test part too: left out",
    )
    assert not set(kept) & {"card lost", "TOP UP: now", "lost the card", "my card 3"}
    assert len(set(kept)) == len(kept) == 22
    assert set(parts.valid.labels.tolist()) == {0, 1}


def test_test_labels_and_texts_have_no_say(pipeline: Pipeline, splits: Splits) -> None:
    garbled = Texts(["nothing"] * len(splits.test), np.zeros_like(splits.test.labels))
    again = fitted(dataclasses.replace(splits, test=garbled))
    again.served_ = again.features
    assert again.fit_temperature(splits).temperature_ == pipeline.temperature_
    assert np.array_equal(again.logits(splits.test.texts), pipeline.logits(splits.test.texts))


def test_a_class_with_one_text_is_named() -> None:
    frame = pl.DataFrame(
        {"text": ["a b", "c d", "e f"], "label": [0, 0, 1]},
        schema={"text": pl.String, "label": pl.Int32},
    )
    source = Source("t", "file", "t", "t", {}, "t")
    table = TextClassification(source, frame, frame.clear(), ("many", "single"))
    with pytest.raises(ValueError, match="neither repeat another .* label 'single' has 1; a label"):
        split(table, Config())


def test_rare_labels_are_left_out_of_all_parts_where_asked_for() -> None:
    rows = [(f"text {n}", n % 3) for n in range(12)] + [("rare one", 3), ("other", 4), ("Other", 4)]
    source = Source("t", "file", "t", "t", {}, "t")
    test = parts_of([("new", 4), ("newer", 2), ("newest", 3)])
    table = TextClassification(source, parts_of(rows), test, ("a", "b", "c", "rare", "twice"))
    with pytest.raises(ValueError, match=r"'rare' has 1, 'twice' has 1;.*--split\.rare leave-out"):
        split(table, Config())
    parts = split(table, Config(split=SplitOptions(rare="leave-out")))
    assert parts.label_names == ("a", "b", "c") and len(parts.train) + len(parts.valid) == 12
    assert (parts.test.texts, parts.test.labels.tolist()) == (["newer"], [2])
    assert parts.notices[0] == "2 rare labels and their 5 texts are left out: 'rare', 'twice'"


def parts_of(rows: list[tuple[str, int]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"text": pl.String, "label": pl.Int32}, orient="row")


def test_a_validation_part_that_comes_with_the_data_is_kept() -> None:
    train = parts_of([(f"my card number {n} and more", 0) for n in range(9)])
    train.extend(parts_of([("top it up", 1), ("Top it up!", 0)]))
    valid = parts_of([("my card number 3 and more!", 0), ("top up", 1), ("in the test", 1)])
    test = parts_of([("In the test.", 1), ("my card number four and more", 0)])
    source = Source("t", "file", "t", "t", {}, "t")
    table = TextClassification(source, train, test, ("card", "top_up"), valid)
    parts = split(table, Config())
    assert parts.valid.texts == ["my card number 3 and more!", "top up"]
    assert len(parts.train) == 9 and "my card number 3 and more" not in parts.train.texts
    assert parts.test.texts == test["text"].to_list()
    assert parts.train.labels.tolist() == [0] * 8 + [1]
    assert parts.notices[1] == "1 validation texts stand in the test part too: left out"
    assert parts.notices[2] == "texts that have more than one label: 1; the first label counts"
    assert parts.notices[-1].startswith("1 of 2 test texts (50.0%) differ from a training text")


def test_the_baseline_is_served_where_validation_prefers_it(both: Pipeline, splits: Splits) -> None:
    assert both.served_ is both.baseline and set(both.valid_scores_.values()) == {1.0}
    assert both.notices == [
        "TF-IDF + LR is served, not TF-IDF + SVD + network: accuracy on the 47 validation texts is"
        " 1.0000 for both."
    ]
    report = evaluate(both, splits)
    names = [row.name for row in report.tables[0].rows]
    assert names == ["TF-IDF + LR", "TF-IDF + SVD + network", "TF-IDF + LR + temperature"]
    rows = report.headline()
    assert rows[names[0]]["accuracy"] == rows[names[2]]["accuracy"] != rows[names[1]]["accuracy"]
    gained = next(t for t in report.tables if t.name == "model against baseline").rows[0]
    assert gained.values["value"].value != 0  # type: ignore[union-attr]


def test_of_equal_scores_the_simpler_model_is_served(splits: Splits) -> None:
    class Twin(TfidfClassifier):
        name = "twin"

        def fit(self, train: Texts, valid: Texts, **keeping: object) -> Self:
            return super().fit(train, valid)

    twin: Any = Twin()
    pipeline = Pipeline(label_names=splits.label_names, baseline=TfidfClassifier(), features=twin)
    pipeline.fit_baseline(splits).fit_encoder(splits)
    assert set(pipeline.valid_scores_) == {"TF-IDF + LR", "twin"} and pipeline.model_ is twin
    assert pipeline.served_ is pipeline.baseline and pipeline.notices[0].endswith(" for both.")


def test_one_sided_labels_are_judged_by_macro_f1() -> None:
    labels = np.array([0] * 90 + [1] * 10)
    assert score_name(labels) == "macro F1" and score_name(labels[60:]) == "accuracy"
    always = np.zeros(100, int)
    assert score(labels, always) == pytest.approx(0.9 * 2 / 1.9 / 2)
    assert score(labels, labels) == 1 and score(labels[60:], always[60:]) == 0.75


def test_saved_and_loaded_gives_equal_answers(
    pipeline: Pipeline, splits: Splits, tmp_path: Path
) -> None:
    pipeline.save(tmp_path)
    loaded = Pipeline.load(tmp_path)
    texts = [*splits.test.texts[:30], "日本語 🎬"]
    assert loaded.classify(texts) == pipeline.classify(texts)
    suffixes = {path.suffix for path in tmp_path.rglob("*") if path.is_file()}
    assert suffixes <= {".json", ".npz", ".safetensors"}


@pytest.mark.parametrize("empty", ["", "  \n\t"])
def test_an_empty_text_is_refused_and_named(pipeline: Pipeline, empty: str) -> None:
    with pytest.raises(ValueError, match=r"texts\[1\]: it is empty"):
        pipeline.classify(["card", empty])


def test_k_beyond_the_labels_gives_all_of_them(pipeline: Pipeline, splits: Splits) -> None:
    (answer,) = pipeline.classify(["cancel my card"], k=500)
    assert sorted(answer.labels) == sorted(splits.label_names)
    assert sum(answer.probabilities) == pytest.approx(1)
    assert pipeline.classify([]) == []


def test_without_a_transformer_features_stand_in_and_it_is_said(
    splits: Splits, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pretrained, "_snapshot", lambda repository, local: None)
    monkeypatch.setattr(pretrained, "MINILM_PACKAGE", "no_such_package_anywhere")
    config = dataclasses.replace(FEATURES, model="auto")
    pipeline = fitted(splits, config)
    assert set(pipeline.valid_scores_) == {"TF-IDF + LR", "TF-IDF + SVD + network"}
    assert "stand in" in pipeline.notices[0]
    report = evaluate(pipeline, splits)
    assert report.notices == [*splits.notices, *pipeline.notices]
    console.summary(report, Path("runs/x"), next_command="")
    said = capsys.readouterr().err
    assert f"NOTICE {pipeline.notices[0]}" in said and "NOTICE 6 training texts repeat" in said
    named = dataclasses.replace(FEATURES, model="no/such-model")
    with pytest.raises(ValueError, match="'no/such-model' is neither"):
        fitted(splits, named)


def test_the_report_leads_with_the_baseline_and_slices(pipeline: Pipeline, splits: Splits) -> None:
    report = evaluate(pipeline, splits)
    first = report.tables[0]
    assert first.rows[0].baseline and first.rows[0].name == "TF-IDF + LR"
    assert [row.name for row in first.rows][-1] == "+ temperature"
    tables = {table.name: table for table in report.tables}
    by_words = [r for r in tables["slices"].rows if r.name.endswith(" words")]
    assert sum(float(row.values["texts"]) for row in by_words) == len(splits.test.texts)
    assert {"confused pairs", "by class", "model against baseline"} <= set(tables)
    check_whole(report)
    wrong = report.examples[1]
    assert wrong.name == "surest mistakes" and wrong.items[0].title in splits.test.texts
    assert all(item.facts["truth"] != item.facts["said"] for item in wrong.items)
    assert len(report.figures) >= 3 and report.latency[0].samples > 100
    # Tables are published beside the code, so no text of a dataset may stand in them.
    published = json.dumps(report.to_dict(), ensure_ascii=False)
    assert not [text for text in splits.test.texts if text in published]
    assert json.dumps(report.to_dict(), allow_nan=False)


def test_baseline_alone_can_be_served(splits: Splits, tmp_path: Path) -> None:
    pipeline = fitted(splits, dataclasses.replace(FEATURES, model="tfidf", seed=5))
    assert pipeline.served_ is pipeline.baseline
    pipeline.save(tmp_path)
    loaded = Pipeline.load(tmp_path)
    assert loaded.classify(["stop my wire"]) == pipeline.classify(["stop my wire"])
    assert loaded.seed == 5
    assert len(evaluate(pipeline, splits).tables[0].rows) == 2


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: Config(k=0), "k"),
        (lambda: Config(runtime="tensorrt"), "runtime"),
        (lambda: Config(model=" "), "model"),
        (lambda: Config(dataset="csv"), "data.path"),
        (lambda: Config(data=DataOptions(train=Path("x"))), "data.train"),
        (lambda: Config("csv", data=DataOptions(Path("x"), Path("y"))), "data.train"),
        (lambda: Config(split=SplitOptions(valid_share=0.9)), "split.valid_share"),
        (lambda: Config(world=WorldOptions(intents=1)), "world.intents"),
        (lambda: Config(world=WorldOptions(intents=32, texts=319)), "world.texts"),
        (lambda: Config(encoder=EncoderOptions(learning_rate=-1.0)), "encoder.learning_rate"),
        (lambda: Config(encoder=EncoderOptions(precision="int8")), "encoder.precision"),
        (
            lambda: Config(encoder=EncoderOptions(guidance=0.6, label_smoothing=0.4)),
            "encoder.guidance",
        ),
        (lambda: Config(student=StudentOptions(neurons=0.0)), "student.neurons"),
    ],
)
def test_a_value_out_of_range_is_named(make, named: str) -> None:
    with pytest.raises(ValueError, match=rf"^{named}: "):
        make()


def test_a_dataset_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="TextClassification are needed"):
        load(dataclasses.replace(FEATURES, dataset="digits"))


def test_texts_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    rows = [f'"please {verb} this {n}",{verb}' for n in range(20) for verb in ("open", "close")]
    path.write_text("question,what\n" + "\n".join(rows))
    options = DataOptions(path=path, text=("question",), label="what")
    config = dataclasses.replace(FEATURES, dataset="csv", data=options)
    parts = split(load(config), config)
    assert parts.label_names == ("close", "open")
    assert fitted(parts, config).classify(["please open this"])[0].labels[0] == "open"


def test_the_main_makes_an_artifact_that_answers_over_http(tmp_path: Path) -> None:
    from fastapi.testclient import TestClient

    from common.serving import create_app
    from patterns.nlp.classification.serve import ClassificationService

    path = main(dataclasses.replace(FEATURES, runs=tmp_path))
    run = artifacts.open_run("latest", name="nlp/classification", runs=tmp_path)
    assert run.path == path and (path / "report.html").stat().st_size > 10_000
    service = ClassificationService(run)
    text = "Could you cancel my card?"
    with TestClient(create_app(service, run)) as client:
        body = client.post("/predict", json={"text": text, "k": 2}).json()
        (answer,) = service.pipeline.classify([text], k=2)
        assert [guess["label"] for guess in body["labels"]] == answer.labels
        assert body["label"] == answer.labels[0]
        assert body["probability"] == pytest.approx(answer.probabilities[0])
        assert service.example["text"] in {
            text for text in split(load(FEATURES), FEATURES).train.texts
        }
        for bad in ({"text": ""}, {"text": "   "}, {}, {"text": text, "k": 0}, {"text": 7}):
            response = client.post("/predict", json=bad)
            assert 400 <= response.status_code < 500
            assert ("k" if "k" in bad else "text") in response.text
        alone = client.post("/predict", json={"text": "   "}).json()
        assert alone["error"]["field"] == "text"
        batch = {"requests": [{"text": text}, {"text": "   "}]}
        among = client.post("/predict/batch", json=batch).json()
        assert among["error"]["field"] == "requests[1].text"
