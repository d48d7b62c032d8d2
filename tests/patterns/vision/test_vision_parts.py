"""Classes that a part lacks are named, in all three tasks by the same words."""

import dataclasses
from pathlib import Path

import numpy as np
from PIL import Image

from patterns.vision.classification import config as classification
from patterns.vision.classification import data as photos
from patterns.vision.parts import lacking
from patterns.vision.segmentation import config as segmentation
from patterns.vision.segmentation import data as scenes

NOT_MEASURED = "Classes without {} in the test part are not measured: {}."
NOT_LEARNED = "Classes without {} in the train part cannot be learned: {}."


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(path)


def test_lacking_classes_are_listed_up_to_ten() -> None:
    labels = {"train": np.array([0, 1, 1]), "test": np.array([1])}
    names = ("cat", "dog")
    assert list(lacking(labels, names, unit="a box")) == [NOT_MEASURED.format("a box", "cat")]
    (said,) = lacking({"train": np.arange(1), "test": np.arange(20)}, [*"abcdefghijklmn"], unit="x")
    assert said.endswith("cannot be learned: b, c, d, e, f, g, h, i, j, k, ….")


def test_a_class_without_a_test_image_is_said(tmp_path: Path) -> None:
    for part, classes in (("train", "ab"), ("test", "a")):
        for name in classes:
            for number in range(6):
                save(tmp_path / part / name / f"{number}.png", np.full((9, 9), 9 * number))
    config = dataclasses.replace(
        classification.PRESETS["smoke"],
        dataset="folder",
        data=classification.DataOptions(path=tmp_path),
    )
    splits = photos.split(photos.load(config), config)
    assert splits.notices == (NOT_MEASURED.format("an image", "b"),)


def test_classes_of_pixels_that_a_part_lacks_are_said(tmp_path: Path) -> None:
    values = {"train": (0, 1, 2), "val": (0, 1), "test": (0, 1, 3)}
    for part, present in values.items():
        for number in range(4):
            mask = np.repeat(np.array(present), 8)[None].repeat(24, axis=0)
            save(tmp_path / "images" / part / f"{number}.png", mask[..., None].repeat(3, 2) * 60)
            save(tmp_path / "labels" / part / f"{number}.png", mask)
    config = dataclasses.replace(
        segmentation.PRESETS["smoke"],
        dataset="folder",
        task="semantic",
        data=segmentation.DataOptions(path=tmp_path),
    )
    splits = scenes.split(scenes.load(config), config)
    assert splits.notices[1:] == (
        NOT_LEARNED.format("a pixel", "3"),
        NOT_MEASURED.format("a pixel", "2"),
    )
    same = (tmp_path / "images" / "train" / "0.png").read_bytes()
    (tmp_path / "images" / "test" / "0.png").write_bytes(same)
    again = scenes.split(scenes.load(config), config)
    assert again.notices[3].startswith("1 test images equal a training image pixel for pixel")
