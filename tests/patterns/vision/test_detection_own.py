"""A user's own images through the door of detection: split, what is said, a run of each kind."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from boxes_on_disk import coco, save, voc, write, write_coco, yolo
from PIL import Image

import data
from patterns.vision.detection.config import (
    AugmentOptions,
    Config,
    DataOptions,
    NetworkOptions,
    TrainingOptions,
)
from patterns.vision.detection.data import load, split
from patterns.vision.detection.pipeline import Pipeline

NAMES = [f"{letter}.png" for letter in "abcdefghijkl"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve COCO images, of which the first has a class of its own."""
    for number, name in enumerate(NAMES):
        save(tmp_path / "images" / name, seed=number)
    boxes = [[("bus" if number == 0 else "car", 1, 2, 30, 12)] for number in range(12)]
    for part, rows in (("train", slice(0, 8)), ("val", slice(8, 10)), ("test", slice(10, 12))):
        write_coco(
            tmp_path / f"{part}.json", coco(NAMES[rows], boxes[rows], first=100 * rows.start)
        )
    return tmp_path


def own(folder: Path, dataset: str = "coco", **options: object) -> Config:
    return Config(dataset=dataset, data=DataOptions(path=folder, **options))  # type: ignore[arg-type]


def test_the_parts_of_the_files_are_kept_and_lacking_classes_said(folder: Path) -> None:
    config = own(folder)
    table = load(config)
    splits = split(table, config)
    assert [len(part) for part in (splits.train, splits.valid, splits.test)] == [8, 2, 2]
    assert splits.label_names == ("bus", "car")
    assert splits.notices == ("Classes without a box in the test part are not measured: bus.",)
    assert np.array_equal(splits.test.images[1], table.images[table.split["test"][1]])
    assert [image.shape for image in splits.test.images[:1]] == [(30, 40, 3)]


def test_own_images_are_not_turned_by_quarters_unless_wanted(folder: Path) -> None:
    config = own(folder)
    splits = split(load(config), config)
    small = dataclasses.replace(config, network=NetworkOptions(height=32, width=32, channels=4))
    wanted = dataclasses.replace(small, augment=AugmentOptions(quarter_turns="on"))
    cells = dataclasses.replace(small, dataset="bccd", data=DataOptions())
    turns = [
        Pipeline.from_config(each, splits).detector.augment.quarter_turns
        for each in (small, wanted, cells)
    ]
    assert turns == [False, True, True]


def test_the_example_is_a_training_image_with_a_box_made_small(tmp_path: Path) -> None:
    for number in range(12):
        size = (1300, 500) if number == 1 else (40, 30)
        save(tmp_path / f"{number:02d}.jpg", size=size, seed=number)
        box = [("cup", 1, 2, 20, 12)] if number else []
        write(tmp_path / f"{number:02d}.txt", yolo(box, ["cup"], size=size))
    write(tmp_path / "train.txt", "\n".join(f"{number:02d}.jpg" for number in range(9)))
    write(tmp_path / "test.txt", "\n".join(f"{number:02d}.jpg" for number in range(9, 12)))
    config = own(tmp_path, "yolo")
    splits = split(load(config), config)
    row = next(row for row, boxes in enumerate(splits.train.boxes) if len(boxes))
    height, width = splits.train.images[row].shape[:2]
    example = Pipeline.from_config(config, splits).example
    scale = min(1, 640 / max(height, width))
    assert example.shape[:2] == (round(height * scale), round(width * scale))


def test_boxes_too_small_for_the_input_are_said(folder: Path) -> None:
    """The boxes are of 29 x 10 pixels, 17 a side, in images of 40."""
    config = own(folder)
    splits = split(load(config), config)
    training = TrainingOptions(epochs=1, steps=1, batch_size=2, precision="fp32")
    small, large = (
        dataclasses.replace(
            config, training=training, network=NetworkOptions(height=side, width=64, channels=4)
        )
        for side in (32, 64)
    )
    assert Pipeline.from_config(large, splits).fit_detector(splits).notices == []
    for boxes in splits.train.boxes:
        boxes[:, 2:] = boxes[:, :2] + 10
    (said,) = Pipeline.from_config(small, splits).fit_detector(splits).notices
    assert said.startswith("Half of the training boxes are smaller than 11 pixels")


def test_an_unknown_dataset_lists_what_detection_takes() -> None:
    with pytest.raises(ValueError, match=r"bccd, simulated-cells.* voc, coco, yolo"):
        load(Config(dataset="pascal"))


def test_flags_of_own_images_need_their_dataset(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"--dataset voc or coco or yolo"):
        Config(data=DataOptions(path=folder))
    with pytest.raises(ValueError, match=r"--data\.path"):
        Config(dataset="yolo", data=DataOptions(images=folder))


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["voc", "coco", "yolo"])
def test_a_run_of_each_layout(tmp_path: Path, layout: str, capsys: pytest.CaptureFixture) -> None:
    from patterns.vision.detection.config import PRESETS
    from patterns.vision.detection.train import main

    world = data.load("simulated-cells", images=24, seed=0)
    files = [f"{number:02d}.png" for number in range(24)]
    boxes = [
        [(f"kind {label}", *box) for box, label in zip(b.tolist(), t, strict=True)]
        for b, t in zip(world.boxes, world.labels, strict=True)
    ]
    kinds, size = [f"kind {number}" for number in range(3)], (320, 240)
    for name, image, inner in zip(files, world.images, boxes, strict=True):
        (tmp_path / "images").mkdir(exist_ok=True)
        Image.fromarray(image).save(tmp_path / "images" / name)
        stem = Path(name).stem
        if layout == "voc":
            write(tmp_path / "labels" / f"{stem}.xml", voc(*inner, size=size))
        elif layout == "yolo":
            write(tmp_path / "labels" / f"{stem}.txt", yolo(inner, kinds, size=size))
    write(tmp_path / "data.yaml", f"names: {kinds}\n")
    if layout == "coco":
        write_coco(tmp_path / "all.json", coco(files, boxes, size=size))
    smoke = PRESETS["smoke"]
    config = dataclasses.replace(
        smoke, dataset=layout, data=DataOptions(path=tmp_path), runs=tmp_path / "runs",
        training=dataclasses.replace(smoke.training, epochs=1, steps=4),
    )  # fmt: skip
    run = main(config)
    said = "".join(capsys.readouterr())
    assert (run / "report.html").is_file() and "10% for the valid part" in said
    assert "kind 0" in (run / "metrics.json").read_text() and "RBC" not in said
