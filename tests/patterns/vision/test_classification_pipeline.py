"""The classification pipeline end to end on digits: contracts, leakage, service."""

import base64
import dataclasses
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from toy_report import check_whole

from common import artifacts
from patterns.vision.classification import config as configuration
from patterns.vision.classification.config import (
    PRESETS,
    Config,
    DataOptions,
    SplitOptions,
    TrainingOptions,
)
from patterns.vision.classification.data import Splits, load, split
from patterns.vision.classification.entities.images import LabelledImages
from patterns.vision.classification.evaluate import evaluate
from patterns.vision.classification.pipeline import Pipeline

SMALL = dataclasses.replace(
    PRESETS["smoke"],
    split=SplitOptions(limit=500),
    training=TrainingOptions(epochs=1, least_steps=150, batch_size=32, learning_rate=1e-2),
)


@pytest.fixture(scope="module")
def splits() -> Splits:
    return split(load(SMALL), SMALL)


def fitted(splits: Splits, config: Config = SMALL) -> Pipeline:
    pipeline = Pipeline.from_config(config, splits).fit_baseline(splits)
    return pipeline.fit_network(splits).fit_temperature(splits)


@pytest.fixture(scope="module")
def pipeline(splits: Splits) -> Pipeline:
    return fitted(splits)


def test_it_learns(pipeline: Pipeline, splits: Splits) -> None:
    predicted = pipeline.probabilities(splits.test.images).argmax(axis=1)
    assert (predicted == splits.test.labels).mean() > 0.85


def test_same_seed_gives_the_same_model_and_test_labels_do_not_matter(
    pipeline: Pipeline, splits: Splits
) -> None:
    garbled = LabelledImages(splits.test.images, np.zeros_like(splits.test.labels))
    again = fitted(dataclasses.replace(splits, test=garbled))
    assert again.temperature_ == pipeline.temperature_
    assert np.array_equal(again.logits(splits.test.images), pipeline.logits(splits.test.images))


def test_saved_and_loaded_gives_equal_answers(
    pipeline: Pipeline, splits: Splits, tmp_path: Path
) -> None:
    pipeline.save(tmp_path)
    loaded = Pipeline.load(tmp_path)
    images = splits.test.images[:50]
    assert np.array_equal(loaded.probabilities(images), pipeline.probabilities(images))
    assert loaded.classify(images) == pipeline.classify(images)
    assert json.loads((tmp_path / "pipeline.json").read_text())["seed"] == pipeline.seed
    assert not [path for path in tmp_path.iterdir() if path.suffix in (".pt", ".pkl", ".joblib")]


def test_a_batch_equals_its_images_one_by_one(pipeline: Pipeline, splits: Splits) -> None:
    images = splits.test.images[:20]
    one_by_one = np.concatenate([pipeline.probabilities(image[None]) for image in images])
    assert np.allclose(pipeline.probabilities(images), one_by_one, atol=1e-5)


def test_k_beyond_the_labels_gives_all_and_no_image_gives_no_answer(
    pipeline: Pipeline, splits: Splits
) -> None:
    (answer,) = pipeline.classify(splits.test.images[:1], k=50)
    assert sorted(answer.labels) == sorted(splits.label_names)
    assert sum(answer.probabilities) == pytest.approx(1)
    assert answer.probabilities == sorted(answer.probabilities, reverse=True)
    assert pipeline.classify([]) == []


def test_other_sizes_and_colours_are_answered(pipeline: Pipeline, splits: Splits) -> None:
    images = splits.test.images[:40]
    colour = np.repeat(images[..., None], 3, axis=3)
    assert pipeline.classify(list(colour)) == pipeline.classify(images)
    large = np.kron(images, np.ones((1, 5, 5), np.uint8))
    answers = zip(pipeline.classify(list(large), k=1), pipeline.classify(images, k=1), strict=True)
    assert np.mean([left.labels == right.labels for left, right in answers]) > 0.6


def test_the_report_starts_with_the_baseline(pipeline: Pipeline, splits: Splits) -> None:
    report = evaluate(pipeline, splits)
    head = report.tables[0]
    assert head.rows[0].baseline and [row.name for row in head.rows][1:] == ["cnn", "+ temperature"]
    assert report.headline()["cnn"]["accuracy"] == report.headline()["+ temperature"]["accuracy"]
    names = {figure.name for figure in report.figures}
    assert {"confusion matrix", "reliability"} <= names
    check_whole(report)
    wrong = report.examples[1]
    assert wrong.name == "surest mistakes"
    assert not any(item.facts["said"].startswith(f"{item.title},") for item in wrong.items)
    assert report.tables[1].rows[0].values["images"] > 0


def test_no_image_is_in_two_parts() -> None:
    images = load(Config(dataset="digits"))
    marked = np.arange(len(images.train_images), dtype=np.uint16).view(np.uint8).reshape(-1, 1, 2)
    parts = split(
        dataclasses.replace(images, train_images=marked), Config(dataset="digits", seed=3)
    )
    train, valid = (
        np.ascontiguousarray(part).view(np.uint16).ravel()
        for part in (parts.train.images, parts.valid.images)
    )
    assert not set(train) & set(valid)
    assert len(set(train)) + len(set(valid)) == len(images.train_images)
    assert np.array_equal(parts.test.labels, images.test_labels)


def test_digits_are_not_mirrored_and_clothes_are(splits: Splits) -> None:
    assert not splits.mirror_safe
    images = load(SMALL)
    clothes = dataclasses.replace(
        images, source=dataclasses.replace(images.source, name="fashion-mnist")
    )
    assert split(clothes, SMALL).mirror_safe


def test_a_folder_of_images_is_a_dataset(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name, level in (("dark", 40), ("bright", 200)):
        (tmp_path / name).mkdir()
        for number in range(10):
            noise = rng.integers(-20, 20, (30 + number, 40, 3))
            Image.fromarray((level + noise).astype(np.uint8)).save(
                tmp_path / name / f"{number}.png"
            )
    config = Config(
        dataset="folder",
        image_size=16,
        data=DataOptions(path=tmp_path),
        split=SplitOptions(valid_share=0.2),
    )
    parts = split(load(config), config)
    assert parts.label_names == ("bright", "dark")
    assert parts.train.images.shape[1:] == (16, 16, 3)


def test_wrong_choices_name_the_flag() -> None:
    with pytest.raises(ValueError, match=r"--data\.path"):
        Config(dataset="folder")
    with pytest.raises(ValueError, match="--model"):
        Config(model="transformer")
    with pytest.raises(ValueError, match=r"training\.epochs"):
        Config(training=TrainingOptions(epochs=0))
    with pytest.raises(ValueError, match="Images are needed"):
        load(Config(dataset="simulated-transactions"))
    assert set(configuration.PRESETS) == {"smoke", "default", "large"}


def encoded(image: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def test_the_service_answers_what_the_pipeline_answers(
    pipeline: Pipeline, splits: Splits, tmp_path: Path
) -> None:
    from fastapi.testclient import TestClient

    from common.serving import create_app
    from patterns.vision.classification.serve import ClassificationService

    config = dataclasses.replace(SMALL, runs=tmp_path)
    path = artifacts.save(
        pipeline, evaluate(pipeline, splits), config, name="vision/classification"
    )
    run = artifacts.open_run("latest", name="vision/classification", runs=tmp_path)
    assert run.path == path
    with TestClient(create_app(ClassificationService(run), run)) as client:
        image = splits.test.images[0]
        answer = client.post("/predict", json={"image": encoded(image), "k": 2}).json()
        (expected,) = pipeline.classify([image], k=2)
        assert [guess["label"] for guess in answer["labels"]] == expected.labels
        assert answer["labels"][0]["probability"] == pytest.approx(expected.probabilities[0])
        whole = base64.b64decode(encoded(image))
        for broken in ("@@", "aGVsbG8=", base64.b64encode(whole[:60]).decode(), ""):
            refused = client.post("/predict", json={"image": broken})
            assert 400 <= refused.status_code < 500, broken
            assert "image" in refused.text
        assert client.post("/predict", json={"image": encoded(image), "k": 0}).status_code == 422


def test_a_class_of_one_image_is_named() -> None:
    digits = load(SMALL)
    rows = np.flatnonzero(digits.train_labels != 7)
    rows = np.append(rows, np.flatnonzero(digits.train_labels == 7)[:1])
    few = dataclasses.replace(
        digits, train_images=digits.train_images[rows], train_labels=digits.train_labels[rows]
    )
    with pytest.raises(ValueError, match="class '7' has 1 training images"):
        split(few, SMALL)
