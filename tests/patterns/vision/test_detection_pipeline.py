"""The detection pipeline end to end on simulated cells: contracts, leakage, service."""

import base64
import dataclasses
import io
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from toy_report import check_whole

from common import artifacts
from common.evaluation.report import Report
from patterns.vision.detection import config as configuration
from patterns.vision.detection.config import (
    NAME,
    AugmentOptions,
    Config,
    NetworkOptions,
    PostprocessOptions,
    TrainingOptions,
    WorldOptions,
)
from patterns.vision.detection.data import Splits, load, split
from patterns.vision.detection.evaluate import evaluate
from patterns.vision.detection.evaluation.counting import counting
from patterns.vision.detection.pipeline import Pipeline, judged
from patterns.vision.detection.stages.postprocess import (
    Detections,
    average_precision,
    without_ignored,
)

SMALL = Config(
    dataset="simulated-cells",
    world=WorldOptions(images=30),
    network=NetworkOptions(height=64, width=96, channels=8),
    training=TrainingOptions(
        epochs=3, steps=30, batch_size=8, ema=0.9, learning_rate=1e-2, precision="fp32"
    ),
    augment=AugmentOptions(mosaic=0.2, zoom=(0.8, 1.25)),
)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Work this small is slower on two threads, and far slower where the cores are busy."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def splits() -> Splits:
    return split(load(SMALL), SMALL)


def fitted(splits: Splits, config: Config = SMALL) -> Pipeline:
    pipeline = Pipeline.from_config(config, splits).fit_baseline(splits)
    return pipeline.fit_detector(splits).fit_thresholds(splits)


@pytest.fixture(scope="module")
def pipeline(splits: Splits) -> Pipeline:
    """The detector, though the baseline is better on a world that was made for it."""
    pipeline = fitted(splits)
    pipeline.served_, pipeline.limits_ = "yolo", pipeline.thresholds.values_
    return pipeline


@pytest.fixture(scope="module")
def report(pipeline: Pipeline, splits: Splits) -> Report:
    return evaluate(pipeline, splits)


class Killed(Exception):
    """Stands for a signal in the middle of training."""


def test_a_killed_training_resumes_exactly(
    splits: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from patterns.vision.detection.stages import yolo

    monkeypatch.setattr(yolo, "fit", partial(yolo.fit, checkpoint_every_s=0))

    def detector() -> yolo.Yolo:
        return yolo.Yolo(
            classes=3, height=32, width=64, channels=4, epochs=2, steps=5, batch_size=2,
            precision="fp32",
        )  # fmt: skip

    train, valid = splits.train.rows, splits.valid.rows
    whole = detector().fit(train, valid)
    killed = detector()
    loss, seen = killed.loss, []

    def dies(*arguments: torch.Tensor) -> torch.Tensor:
        seen.append(1)
        if len(seen) == 8:
            raise Killed
        return loss(*arguments)

    killed.loss = dies  # type: ignore[assignment]
    with pytest.raises(Killed):
        killed.fit(train, valid, checkpoint=tmp_path)
    resumed = detector().fit(train, valid, checkpoint=tmp_path, resume=True)
    assert resumed.history_ is not None and resumed.history_.resumed_from == 7
    left, right = whole.network.state_dict(), resumed.network.state_dict()
    assert all(torch.equal(left[name], right[name]) for name in left)


def equal(left: list[Detections], right: list[Detections]) -> bool:
    return len(left) == len(right) and all(
        np.array_equal(a.boxes, b.boxes)
        and np.array_equal(a.scores, b.scores)
        and np.array_equal(a.labels, b.labels)
        for a, b in zip(left, right, strict=True)
    )


def test_it_learns_the_planted_cells(pipeline: Pipeline, splits: Splits) -> None:
    """Trained it reaches .6; untrained 0, on boxes of other images or with x and y changed .03."""
    history = pipeline.detector.history_
    assert history is not None and history.train_loss[-1] < history.train_loss[0]
    assert pipeline.valid_map_ == max(history.valid) > 0.4
    found = pipeline.candidates(splits.test.images)
    assert average_precision(found, splits.test.boxes, splits.test.labels, 3).per_threshold[0] > 0.4


def test_same_seed_gives_the_same_model_and_test_labels_do_not_matter(splits: Splits) -> None:
    garbled = dataclasses.replace(
        splits.test, labels=[np.zeros_like(labels) for labels in splits.test.labels]
    )
    short = dataclasses.replace(
        SMALL, training=dataclasses.replace(SMALL.training, epochs=1, steps=6)
    )
    once, again = (fitted(s, short) for s in (splits, dataclasses.replace(splits, test=garbled)))
    before, after = once.detector.network.state_dict(), again.detector.network.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert np.array_equal(again.thresholds.values_, once.thresholds.values_)


def test_saved_and_loaded_gives_equal_answers(
    pipeline: Pipeline, splits: Splits, tmp_path: Path
) -> None:
    pipeline.save(tmp_path)
    loaded = Pipeline.load(tmp_path)
    images = splits.test.images
    found = pipeline.candidates(images)
    assert all(len(each.scores) for each in found)
    assert equal(loaded.candidates(images), found)
    assert equal(loaded.detect(images), pipeline.detect(images))
    pairs = zip(loaded.detect_and_count(images), pipeline.detect_and_count(images), strict=True)
    assert all(np.array_equal(mine[1], yours[1]) for mine, yours in pairs)
    assert not [path for path in tmp_path.iterdir() if path.suffix in (".pt", ".pkl", ".joblib")]


def test_a_batch_equals_its_images_one_by_one(pipeline: Pipeline, splits: Splits) -> None:
    images = splits.test.images
    one_by_one = [pipeline.candidates([image])[0] for image in images]
    assert equal(pipeline.candidates(images), one_by_one)


def test_no_image_gives_no_answer_and_a_high_confidence_no_box(
    pipeline: Pipeline, splits: Splits
) -> None:
    assert pipeline.detect([]) == []
    image = splits.test.images[:1]
    ((found, counts),) = pipeline.detect_and_count(image, confidence=1.0)
    assert found.boxes.shape == (0, 4)
    assert counts.sum() and np.array_equal(counts, pipeline.detect_and_count(image)[0][1])


@pytest.mark.parametrize("shape", [(1, 1), (3, 700), (700, 3), (64, 64)])
def test_any_shape_is_answered_with_boxes_inside(
    pipeline: Pipeline, shape: tuple[int, int]
) -> None:
    image = np.random.default_rng(0).integers(0, 255, (*shape, 3), dtype=np.uint8)
    (found,) = pipeline.detect([image], confidence=0.0)
    assert len(found.scores)
    assert (found.boxes >= 0).all()
    assert (found.boxes[:, [0, 2]] <= shape[1]).all() and (found.boxes[:, [1, 3]] <= shape[0]).all()


def test_what_validation_prefers_is_served(
    pipeline: Pipeline, splits: Splits, tmp_path: Path
) -> None:
    other = Pipeline.from_config(SMALL, splits)  # its detector has learned nothing
    other.baseline = pipeline.baseline
    other.fit_thresholds(splits)
    assert other.served_ == "blobs"
    assert other.notices[0].startswith("blobs is served, not yolo: mAP@.5 on the ")
    images = splits.test.images
    assert equal(other.detect(images), pipeline.baseline.predict(images))
    other.save(tmp_path)
    assert equal(Pipeline.load(tmp_path).detect(images), other.detect(images))
    ((found, counts),) = other.detect_and_count(images[:1])
    assert counts.tolist() == np.bincount(found.labels, minlength=3).tolist()
    tables = {table.name: table for table in evaluate(other, splits).tables}
    by_row = {row.name: row.values for row in tables["by class"].rows}
    assert by_row["RBC"]["AP@.5"].value == by_row["RBC"]["blobs AP@.5"]
    assert by_row["RBC"]["threshold"] == 0


def test_ignored_boxes_are_neither_missed_nor_false_alarms(splits: Splits) -> None:
    true, crowd = np.array([[0, 0, 10, 10]]), np.array([[20, 0, 40, 10]])
    found = Detections(
        np.array([[0, 0, 10, 10], [20, 0, 26, 10], [15, 0, 24, 10], [20, 0, 40, 10], [1, 0, 9, 9]]),
        np.array([0.9, 0.8, 0.7, 0.6, 0.5]),
        np.array([0, 0, 0, 1, 0]),
    )
    zero = np.zeros(1, np.int64)
    kept = without_ignored(found, true, zero, crowd, zero)
    assert kept.scores.tolist() == [0.9, 0.7, 0.6, 0.5]  # half in it, or of another class: judged
    kept = without_ignored(found, true, zero, true, zero)
    assert kept.scores.tolist() == [0.9, 0.8, 0.7, 0.6]  # what claims a true box stays
    part = dataclasses.replace(
        splits.test, images=splits.test.images[:1], boxes=[true], labels=[zero],
        ignored_boxes=[crowd], ignored_labels=[zero],
    )  # fmt: skip
    assert judged([found], part)[0].scores.tolist() == [0.9, 0.7, 0.6, 0.5]


def test_the_report_starts_with_the_baseline(report: Report) -> None:
    assert [row.name for row in report.tables[0].rows] == ["blobs", "yolo"]
    assert report.tables[0].rows[0].baseline
    assert {figure.name for figure in report.figures} >= {"precision and recall", "counting"}
    assert [each.stage for each in report.latency][-1] == "one image"
    check_whole(report)
    base, own = (row.values["mAP@.5"].value for row in report.tables[0].rows)
    gain = report.gain
    assert gain.value == pytest.approx(own - base) and gain.low <= gain.value <= gain.high
    quality = [float(item.title.split()[1]) for item in report.examples[0].items]
    assert quality == sorted(quality, reverse=True)
    assert {table.name for table in report.tables} >= {"by class", "by size", "counting"}


def test_counting_is_compared_with_the_usual_count(pipeline: Pipeline, splits: Splits) -> None:
    part = dataclasses.replace(
        splits.test, images=splits.test.images[:2], boxes=[np.zeros((3, 4)), np.zeros((1, 4))],
        labels=[np.array([0, 0, 1]), np.array([0])],
    )  # fmt: skip
    four = [np.zeros(4, np.int64)] * len(splits.train)
    known = dataclasses.replace(
        splits, test=part, train=dataclasses.replace(splits.train, labels=four)
    )
    kept = [
        Detections(np.zeros((3, 4)), np.ones(3), np.array([0, 2, 2])),
        Detections(np.zeros((0, 4)), np.ones(0), np.zeros(0, np.int64)),
    ]
    rows = counting(pipeline, np.array([[2, 0, 0], [2, 0, 0]]), kept, known).rows
    assert [row.name for row in rows] == list(pipeline.label_names)
    values = rows[0].values
    assert (values["mean true"], values["usual count"], values["boxes"]) == (1.5, 2.5, 1.0)
    assert values["count"].value == 0.5 and values["exact"] == 0.5  # type: ignore[union-attr]
    assert values["count − usual"].value == -2  # type: ignore[union-attr]


def test_no_image_is_in_two_parts() -> None:
    table = load(SMALL)
    rows = np.concatenate([table.split[name] for name in ("train", "valid", "test")])
    assert len(set(rows.tolist())) == len(rows) == 30


def test_a_given_confidence_replaces_the_chosen_thresholds(
    pipeline: Pipeline, splits: Splits
) -> None:
    config = dataclasses.replace(SMALL, postprocess=PostprocessOptions(confidence=0.4))
    other = Pipeline.from_config(config, splits)
    other.detector, other.baseline = pipeline.detector, pipeline.baseline
    assert other.fit_thresholds(splits).thresholds.values_.tolist() == [0.4] * 3


def test_a_part_without_boxes_is_named() -> None:
    table = load(SMALL)
    empty = [np.zeros((0, 4), np.float32)] * len(table.boxes)
    with pytest.raises(ValueError, match="train: none of its"):
        split(dataclasses.replace(table, boxes=empty), SMALL)


def test_wrong_choices_name_the_flag() -> None:
    with pytest.raises(ValueError, match=r"--data\.path"):
        Config(dataset="voc")
    with pytest.raises(ValueError, match=r"network\.height"):
        Config(network=NetworkOptions(height=100))
    with pytest.raises(ValueError, match=r"training\.epochs"):
        Config(training=TrainingOptions(epochs=0))
    with pytest.raises(ValueError, match=r"augment\.zoom"):
        Config(augment=AugmentOptions(zoom=(2.0, 3.0)))
    with pytest.raises(ValueError, match="DetectionImages are needed"):
        load(Config(dataset="digits"))
    assert set(configuration.PRESETS) == {"smoke", "default", "large"}


def encoded(image: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def test_the_service_answers_what_the_pipeline_answers(
    pipeline: Pipeline, splits: Splits, report: Report, tmp_path: Path
) -> None:
    from fastapi.testclient import TestClient

    from common.serving import create_app
    from patterns.vision.detection.serve import DetectionService

    config = dataclasses.replace(SMALL, runs=tmp_path)
    artifacts.save(pipeline, report, config, name=NAME)
    run = artifacts.open_run("latest", name=NAME, runs=tmp_path)
    with TestClient(create_app(DetectionService(run), run)) as client:
        image = splits.test.images[0]
        request = {"image": encoded(image), "confidence": 0.05, "k": 5}
        answer = client.post("/predict", json=request).json()
        (expected,) = pipeline.detect([image], confidence=0.05)
        assert (answer["width"], answer["height"]) == (320, 240)
        assert len(answer["objects"]) == min(5, len(expected.scores)) > 0
        for item, box, score in zip(
            answer["objects"], expected.boxes, expected.scores, strict=False
        ):
            assert np.allclose(item["box"], box) and item["score"] == pytest.approx(float(score))
        counts = pipeline.detect_and_count([image])[0][1]
        assert list(answer["counts"].values()) == counts.tolist()
        whole = base64.b64decode(encoded(image))
        for broken in ("@@", "aGVsbG8=", base64.b64encode(whole[:60]).decode(), ""):
            refused = client.post("/predict", json={"image": broken})
            assert 400 <= refused.status_code < 500, broken
            assert "image" in refused.text
        refused = client.post("/predict", json={"image": encoded(image), "confidence": 2})
        assert refused.status_code == 422 and "confidence" in refused.text
