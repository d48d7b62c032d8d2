"""Semantic segmentation end to end on simulated streets: classes, unlabelled pixels, service."""

import base64
import dataclasses
import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from toy_report import check_whole

from common import artifacts
from common.images import UNLABELLED, nearest, shrunk
from data.tables import SemanticImages
from patterns.vision.segmentation.config import (
    NAME,
    PRESETS,
    Config,
    DataOptions,
    SplitOptions,
    TrainingOptions,
    UNetOptions,
    WorldOptions,
)
from patterns.vision.segmentation.data import Splits, load, split
from patterns.vision.segmentation.evaluate import evaluate
from patterns.vision.segmentation.evaluation.classes import Found, mean_iou
from patterns.vision.segmentation.pipeline import Pipeline
from patterns.vision.segmentation.stages.classes import ClassMaps, resized
from patterns.vision.segmentation.stages.objectives import Classes
from patterns.vision.segmentation.stages.prior import PlaceAndColour
from patterns.vision.segmentation.stages.unet import UNet

SMALL = dataclasses.replace(
    PRESETS["smoke"],
    dataset="simulated-streets",
    world=WorldOptions(images=30),
    unet=UNetOptions(width=6, levels=2, stem=2),
    training=TrainingOptions(epochs=15, crop=64, batch_size=4, learning_rate=2e-2),
)


def fitted(splits: Splits, config: Config = SMALL) -> Pipeline:
    pipeline = Pipeline.from_config(config, splits).fit_baseline(splits).fit_network(splits)
    return pipeline.fit_postprocess(splits)


@pytest.fixture(scope="module")
def splits() -> Splits:
    return split(load(SMALL), SMALL)


@pytest.fixture(scope="module")
def pipeline(splits: Splits) -> Pipeline:
    return fitted(splits)


def test_it_learns_the_planted_streets(pipeline: Pipeline, splits: Splits) -> None:
    """Place and colour reach .41; the network, quickly trained, more."""
    report = evaluate(pipeline, splits)
    assert [table.name for table in report.tables] == ["segmentation", "by class", "mistaken"]
    head = report.tables[0]
    assert head.rows[0].baseline and head.rows[0].name == "place and colour"
    figures = report.headline()
    assert figures["unet"]["mIoU"] > figures["place and colour"]["mIoU"] + 0.05
    assert figures["+ balance"]["mIoU above baseline"] > 0.05
    assert {row.name for row in report.tables[1].rows} == set(splits.classes.names)  # type: ignore[union-attr]
    assert "slide" not in head.caption and "unlabelled" in head.caption
    assert not any("slide" in notice or "nuclei" in notice for notice in report.notices)
    assert {"IoU by class", "training"} <= {each.name for each in report.figures}
    check_whole(report)
    assert report.gain is not None and report.gain.value == pytest.approx(
        figures["+ balance"]["mIoU above baseline"]
    )
    (example,) = report.examples
    assert [text for _, text in example.legend] == list(splits.classes.names)  # type: ignore[union-attr]


def test_saved_loaded_and_asked_one_by_one_it_answers_alike(
    pipeline: Pipeline, splits: Splits, tmp_path: Path
) -> None:
    pipeline.save(tmp_path)
    loaded, images = Pipeline.load(tmp_path), splits.test.images[:3]
    together = pipeline.segment(images)
    for image, answer in zip(images, together, strict=True):
        (alone,) = loaded.segment([image])
        assert np.array_equal(alone.mask, answer.mask) and alone.classes == answer.classes
        assert sum(each.share for each in answer.classes or ()) == pytest.approx(1)
    for shape in ((1, 1), (7, 90), (300, 640, 3)):
        assert pipeline.segment([np.full(shape, 30, np.uint8)])[0].mask.shape == shape[:2]


def test_masks_of_the_test_part_do_not_matter_and_a_seed_repeats(splits: Splits) -> None:
    quick = dataclasses.replace(SMALL, training=TrainingOptions(epochs=2, crop=64, batch_size=8))
    garbled = dataclasses.replace(
        splits, test=dataclasses.replace(splits.test, masks=[0 * m for m in splits.test.masks])
    )
    first, second = fitted(splits, quick), fitted(garbled, quick)
    for left, right in zip(
        first.segment(splits.test.images), second.segment(splits.test.images), strict=True
    ):
        assert np.array_equal(left.mask, right.mask)


def test_the_service_answers_the_map_and_its_classes(
    pipeline: Pipeline, splits: Splits, tmp_path: Path
) -> None:
    from fastapi.testclient import TestClient

    from common.serving import create_app
    from patterns.vision.segmentation.serve import SegmentationService

    config = dataclasses.replace(SMALL, runs=tmp_path)
    artifacts.save(pipeline, evaluate(pipeline, splits), config, name=NAME)
    run = artifacts.open_run("latest", name=NAME, runs=tmp_path)
    image = splits.test.images[0]
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG")
    with TestClient(create_app(SegmentationService(run), run)) as client:
        encoded = base64.b64encode(buffer.getvalue()).decode()
        answer = client.post("/predict", json={"image": encoded}).json()
        assert "<html" in client.get("/").text
    (expected,) = pipeline.segment([image])
    assert answer["count"] is None and answer["coverage"] is None
    shares = {each["name"]: each["share"] for each in answer["classes"]}
    assert shares == {each.name: each.share for each in expected.classes or ()}
    with Image.open(io.BytesIO(base64.b64decode(answer["mask"]))) as mask:
        assert mask.mode == "P" and np.array_equal(np.asarray(mask), expected.mask)
        colours = {tuple(colour) for colour in np.asarray(mask.convert("RGB")).reshape(-1, 3)}
    assert len(colours) == len(shares)


def test_the_task_follows_the_dataset_and_a_wrong_one_is_named() -> None:
    assert isinstance(load(SMALL), SemanticImages)
    smoke = dataclasses.replace(PRESETS["smoke"], world=WorldOptions(images=20))
    assert load(smoke).source.name == "simulated-nuclei"
    assert load(dataclasses.replace(smoke, task="semantic")).source.name == "simulated-streets"
    with pytest.raises(ValueError, match="simulated-streets holds a class.*--task semantic"):
        load(dataclasses.replace(SMALL, task="objects"))
    with pytest.raises(ValueError, match="simulated-nuclei holds numbered objects"):
        load(dataclasses.replace(SMALL, task="semantic", dataset="simulated-nuclei"))
    with pytest.raises(ValueError, match=r"nuclei \(objects\).*camvid \(semantic\).*folder"):
        load(Config(dataset="streets"))
    with pytest.raises(ValueError, match=r"multiple of 16 .*--training\.crop|multiple of 16"):
        Config(task="semantic", training=TrainingOptions(crop=100))


def test_a_split_of_the_data_is_kept_and_its_neighbours_are_said() -> None:
    table = load(SMALL)
    rows = {"train": np.arange(20), "test": np.arange(20, 30)}
    parts = split(dataclasses.replace(table, split=rows), SMALL)
    assert len(parts.train) == 18 and len(parts.valid) == 2 and len(parts.test) == 10
    assert "the split is the data's own; 2 images of train were drawn" in parts.notices[0]
    rows = {"train": np.arange(20), "valid": np.arange(20, 30)}
    parts = split(dataclasses.replace(table, split=rows), SMALL)
    assert [len(part) for part in (parts.train, parts.valid, parts.test)] == [16, 10, 4]
    assert "4 images of train were drawn for the test part" in parts.notices[0]
    groups = tuple("ab" * 15)
    with pytest.raises(ValueError, match="parts train alone"):
        split(dataclasses.replace(table, split={"train": np.arange(30)}), SMALL)
    rows = {"train": np.arange(20), "valid": np.arange(20, 25), "test": np.arange(25, 30)}
    parts = split(dataclasses.replace(table, split=rows, groups=groups), SMALL)
    assert parts.notices[0].endswith("100% of the test images have an image of their group in"
                                     " training")  # fmt: skip


def film(count: int, films: int) -> SemanticImages:
    """Return frames of a few films, each frame much like the one before."""
    table = load(dataclasses.replace(SMALL, world=WorldOptions(images=20)))
    images, names = [], []
    for number in range(films):
        for frame in range(count):
            images.append(
                np.clip(table.images[number].astype(int) + frame, 0, 255).astype(np.uint8)
            )
            names.append(f"film{number}_{frame:04d}")
    masks = [table.masks[0]] * len(images)
    return dataclasses.replace(table, images=images, masks=masks, names=tuple(names))


def test_neighbours_in_a_series_are_kept_in_one_part() -> None:
    parts = split(film(5, 12), SMALL)
    assert "split by series: 12 series in 60 images; 0% of the test images" in parts.notices[0]
    assert not set(parts.test.groups) & set(parts.train.groups)
    few = split(film(20, 4), SMALL)
    assert "4 series in 80 images; 0% of the test images" in few.notices[0]
    assert len(few.test) == 20 and len(few.train) > 50 and len(few.valid) >= 4
    one = split(film(40, 1), SMALL)
    assert "1 series in 40 images; 100% of the test images" in one.notices[0]
    assert len(one.test) == 8 and len(one.train) > 25
    loose = split(film(5, 12), dataclasses.replace(SMALL, split=SplitOptions(by="image")))
    assert "split by image" in loose.notices[0] and " 0% of" not in loose.notices[0]


def test_own_folder_runs_and_says_what_it_read(tmp_path: Path) -> None:
    table = load(SMALL)
    for kind in ("images", "labels"):
        (tmp_path / kind).mkdir()
    for name, image, mask in zip(table.names, table.images, table.masks, strict=True):
        Image.fromarray(image).save(tmp_path / "images" / f"{name}.png")
        Image.fromarray(mask).save(tmp_path / "labels" / f"{name}.png")
    own = dataclasses.replace(SMALL, dataset="folder", data=DataOptions(path=tmp_path))
    with pytest.raises(ValueError, match="look like classes.*--task semantic"):
        load(own)
    read = split(load(dataclasses.replace(own, task="semantic")), SMALL)
    assert read.classes is not None and read.classes.names == ("0", "1", "2", "3", "4", "5")
    assert "are unlabelled and count nowhere" in str(read.source.notice)
    assert "drawn one by one" in read.notices[0]


def test_unlabelled_pixels_change_no_loss_and_no_score() -> None:
    objective = Classes(classes=3, dice_weight=1.0)
    logits = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    truth = torch.randint(0, 3, (2, 8, 8)).float()
    truth[:, :4] = UNLABELLED
    changed = logits.clone()
    changed[:, :, :4] += 5
    assert torch.allclose(objective.loss(logits, truth), objective.loss(changed, truth))
    assert float(objective.loss(logits, truth * 0 + UNLABELLED)) == 0
    right = torch.nn.functional.one_hot(truth[:, 4:].long(), 3).permute(0, 3, 1, 2) * 50.0
    assert float(objective.loss(right, truth[:, 4:])) < 0.05
    masks = [truth[0].numpy().astype(np.uint8)]
    assert objective.score([logits[0].numpy()], masks) == objective.score(
        [changed[0].numpy()], masks
    )


def test_a_rare_class_is_weighed_by_the_balance_that_validation_likes(tmp_path: Path) -> None:
    mask = np.zeros((10, 10), np.uint8)
    mask[:1, :5] = 1
    mask[9] = UNLABELLED
    likely = np.where(mask == 1, 0.4, 0.05)  # the rare class is never the most probable
    maps = ClassMaps(names=("a", "b"), values=(3, 8)).fit([np.stack([1 - likely, likely])], [mask])
    assert maps.balance_ > 0 and maps.score_ == 1
    answer = maps.answer(np.stack([1 - likely, likely]).astype(np.float32), mask.shape)
    assert set(np.unique(answer.mask)) == {3, 8}
    assert [(each.name, each.share) for each in answer.classes or ()] == [("a", 0.95), ("b", 0.05)]
    maps.save(tmp_path)
    again = ClassMaps.load(tmp_path)
    assert again.balance_ == maps.balance_ and np.array_equal(again.prior_, maps.prior_)


def test_maps_are_scaled_as_probabilities_and_masks_by_the_nearest() -> None:
    probabilities = np.zeros((2, 4, 4), np.float32)
    probabilities[1, :, 2:] = 1
    probabilities[0] = 1 - probabilities[1]
    large = resized(probabilities, (8, 12))
    assert large.shape == (2, 8, 12) and np.allclose(large.sum(axis=0), 1)
    assert np.array_equal(large.argmax(axis=0)[0], [0] * 6 + [1] * 6)
    assert nearest(np.arange(16).reshape(4, 4), (2, 2)).tolist() == [[5, 7], [13, 15]]
    assert shrunk(np.zeros((100, 400, 3), np.uint8), 200).shape == (50, 200, 3)
    assert shrunk(np.zeros((100, 150, 3), np.uint8), 200).shape == (100, 150, 3)


def test_place_and_colour_learns_both() -> None:
    image = np.zeros((32, 32, 3), np.uint8)
    image[:, ::2] = 250
    mask = np.where(image[..., 0] > 0, 1, 0).astype(np.uint8)
    mask[16:] = 2  # told by place alone
    (found,) = PlaceAndColour(classes=3).fit([image], [mask]).predict([image])
    assert np.allclose(found.sum(axis=0), 1, atol=1e-5)
    assert np.array_equal(found.argmax(axis=0), mask)


def test_a_stem_joins_pixels_and_gives_the_size_back() -> None:
    network = UNet(width=4, levels=2, stem=2, classes=5).eval()
    assert network.multiple == 8
    assert network(torch.zeros(2, 3, 16, 24)).shape == (2, 5, 16, 24)


def test_mean_iou_pools_images_and_leaves_absent_classes_out() -> None:
    first, second = np.diag([4, 0, 0]), np.array([[0, 4, 0], [0, 4, 0], [0, 0, 0]])
    found = Found.of([first, second], {})
    assert mean_iou(found.counts) == pytest.approx((4 / 8 + 4 / 8) / 2)
