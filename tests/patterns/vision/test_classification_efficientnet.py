"""EfficientNet-Lite0: its shape, its weights, what it needs; with the package, that it learns."""

import dataclasses
import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from patterns.vision.classification.config import PRESETS
from patterns.vision.classification.data import load, split
from patterns.vision.classification.entities.images import LabelledImages
from patterns.vision.classification.pipeline import Pipeline
from patterns.vision.classification.stages import efficientnet
from patterns.vision.classification.stages.augment import Augment
from patterns.vision.classification.stages.efficientnet import (
    Convolution,
    EfficientNet,
    EfficientNetClassifier,
    imagenet_weights,
)

INSTALLED = importlib.util.find_spec(efficientnet.PACKAGE) is not None
needs_weights = pytest.mark.skipif(not INSTALLED, reason="the extra lite0 is not installed")


def test_it_has_the_published_size_and_reads_grey_and_colour() -> None:
    network = EfficientNet(classes=1000, input_size=64).eval()
    assert sum(weight.numel() for weight in network.parameters()) == 4_652_008
    for channels in (1, 3):
        images = torch.zeros(2, channels, 32, 32, dtype=torch.uint8)
        assert network.features(images).shape == (2, 80, 4, 4)
        assert network(images).shape == (2, 1000)


def test_padding_is_that_of_tensorflow() -> None:
    """SAME at stride 2: a 3 x 3 kernel starts on the first pixel, not on the padding before it."""
    layer = Convolution(1, 1, kernel=3, stride=2, activation=False)
    torch.nn.init.ones_(layer[1].weight)
    image = torch.zeros(1, 1, 4, 4)
    image[0, 0, 3, 3] = 1
    assert layer[1](layer[0](image)).flatten().tolist() == [0, 0, 0, 1]
    image = image.flip(2, 3)
    assert layer[1](layer[0](image)).flatten().tolist() == [1, 0, 0, 0]


def test_weights_that_are_missing_or_wrong_are_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(efficientnet, "PACKAGE", "no_such_package")
    with pytest.raises(ImportError, match=r"ml-system-patterns\[lite0\]"):
        imagenet_weights()
    (tmp_path / "weights.pth").write_bytes(b"another file")
    monkeypatch.setattr(efficientnet, "weights_file", lambda: tmp_path / "weights.pth")
    with pytest.raises(ValueError, match=r"weights\.pth: not the file known here"):
        imagenet_weights()


def test_without_the_package_the_command_ends_before_the_baseline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(efficientnet, "PACKAGE", "no_such_package")
    config = dataclasses.replace(PRESETS["smoke"], model="efficientnet-lite0")
    splits = split(load(config), config)
    with pytest.raises(ImportError, match="needs the ImageNet weights of the extra lite0"):
        Pipeline.from_config(config, splits)


def scenes(count: int, *, seed: int) -> LabelledImages:
    """Checks, discs and stripes in random colours and places, of 32 pixels a side."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    y, x = np.mgrid[:32, :32]
    images = np.zeros((count, 3, 32, 32), np.uint8)
    for row, label in enumerate(labels):
        across, down = rng.integers(8, 24, 2)
        kinds = ((x // 4 + y // 4) % 2, np.hypot(x - across, y - down) < 7, (y + down) // 3 % 2)
        ink, paper = rng.integers(0, 256, (2, 3, 1, 1))
        images[row] = np.where(kinds[label], ink, paper)
    return LabelledImages(images, labels)


@needs_weights
def test_it_learns_from_few_images_and_is_loaded_as_saved(tmp_path: Path) -> None:
    train, valid, test = scenes(60, seed=0), scenes(30, seed=1), scenes(60, seed=2)
    stage = EfficientNetClassifier(
        classes=3, input_size=64, epochs=1, least_steps=4, batch_size=32, augment=Augment(flip=True)
    ).fit(train, valid)
    answers = stage.predict(test.images)
    assert (answers.argmax(axis=1) == test.labels).mean() > 0.9
    assert stage.history_ is not None and stage.valid_accuracy == round(
        max(stage.history_.valid), 4
    )
    assert (stage.predict(valid.images).argmax(axis=1) == valid.labels).mean() == pytest.approx(
        max(stage.history_.valid)
    )
    stage.save(tmp_path)
    assert np.array_equal(EfficientNetClassifier.load(tmp_path).predict(test.images), answers)


@needs_weights
def test_its_trunk_is_imagenets_and_stays_so() -> None:
    stage = EfficientNetClassifier(classes=3, input_size=64, epochs=1, least_steps=1)
    part = scenes(40, seed=0)
    stage.fit(part, part)
    assert isinstance(stage.module_, EfficientNet)
    theirs = next(iter(imagenet_weights().values()))
    assert torch.equal(stage.module_.trunk[0][1].weight, theirs)
