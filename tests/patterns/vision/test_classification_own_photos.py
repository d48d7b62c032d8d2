"""A user's own photos from folder to answer: turned ones, the choice of what is served, flips."""

import base64
import dataclasses
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from common import artifacts
from common.serving import create_app
from patterns.vision.classification.config import (
    PRESETS,
    AugmentOptions,
    CnnOptions,
    Config,
    DataOptions,
    ResNet9Options,
    SplitOptions,
    TrainingOptions,
)
from patterns.vision.classification.data import load, split
from patterns.vision.classification.evaluate import evaluate
from patterns.vision.classification.pipeline import Pipeline
from patterns.vision.classification.serve import ClassificationService
from patterns.vision.classification.stages.mirroring import mirroring
from patterns.vision.classification.train import main
from patterns.vision.images import decode_image

SMALL = dataclasses.replace(
    PRESETS["smoke"],
    image_size=16,
    split=SplitOptions(valid_share=0.1, test_share=0.1),
    training=TrainingOptions(epochs=1, least_steps=60, batch_size=16, learning_rate=1e-2),
    resnet9=ResNet9Options(width=4),
    cnn=CnnOptions(widths=(4, 8)),
)


def own(path: Path, **options: object) -> Config:
    return dataclasses.replace(SMALL, dataset="folder", data=DataOptions(path=path), **options)


def fitted(config: Config) -> Pipeline:
    splits = split(load(config), config)
    pipeline = Pipeline.from_config(config, splits).fit_baseline(splits)
    return pipeline.fit_network(splits).fit_temperature(splits)


def photo(seed: int, *, tall: bool) -> np.ndarray:
    """Noise with a dark bar that stands or lies, seen upright: uint8 (40, 60, 3)."""
    rng = np.random.default_rng(seed)
    image = rng.integers(120, 256, (40, 60, 3), dtype=np.uint8)
    place = int(rng.integers(8, 28))
    image[(slice(None), slice(place, place + 8)) if tall else slice(place, place + 8)] = 20
    return image


@pytest.fixture(scope="module")
def turned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos as a phone stores them: lying pixels, and the turn to apply in EXIF."""
    root = tmp_path_factory.mktemp("turned")
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter, clockwise
    for number in range(40):
        label = ("lying", "standing")[number % 2]
        stored = np.rot90(photo(number, tall=number % 2 == 1))  # counter-clockwise
        path = root / label / f"{number}.jpg"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.ascontiguousarray(stored)).save(path, quality=95, exif=exif)
    return root


def test_photos_are_served_as_they_were_trained_on(turned: Path, tmp_path: Path) -> None:
    from fastapi.testclient import TestClient

    config = own(turned, runs=tmp_path)
    main(config)
    run = artifacts.open_run("latest", name="vision/classification", runs=tmp_path)
    right = 0
    with TestClient(create_app(ClassificationService(run), run)) as client:
        for path in sorted(turned.rglob("*.jpg")):
            image = base64.b64encode(path.read_bytes()).decode()
            answer = client.post("/predict", json={"image": image, "k": 1}).json()
            right += answer["label"] == path.parent.name
    assert right == 40


def test_a_photo_in_any_format_gets_the_same_answer(turned: Path, tmp_path: Path) -> None:
    pipeline = fitted(own(turned))
    seen = Image.fromarray(photo(999, tall=True))
    expected = pipeline.probabilities([np.asarray(seen)])
    for kind in ("PNG", "BMP", "TIFF", "PPM", "WEBP"):
        buffer = io.BytesIO()
        seen.save(buffer, kind, **{"lossless": True} if kind == "WEBP" else {})
        image = decode_image(base64.b64encode(buffer.getvalue()).decode(), shown_at=16)
        assert np.array_equal(pipeline.probabilities([image]), expected), kind


def arrows(root: Path, count: int = 60) -> Path:
    """Images whose mirror image has the other label: bright on the left, or on the right."""
    rng = np.random.default_rng(0)
    for number in range(count):
        image = rng.integers(0, 90, (16, 16, 3), dtype=np.uint8)
        left = number % 2 == 0
        image[:, slice(0, 8) if left else slice(8, 16)] += 100
        path = root / ("left" if left else "right") / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(image).save(path)
    return root


def test_images_are_not_mirrored_where_that_changes_their_label(tmp_path: Path) -> None:
    config = own(arrows(tmp_path), split=SplitOptions(valid_share=0.3))
    splits = split(load(config), config)
    pipeline = Pipeline.from_config(config, splits).fit_baseline(splits)
    assert pipeline.network.augment is not None and not pipeline.network.augment.flip
    assert pipeline.notices[0].startswith("Training images are not mirrored: the baseline")
    forced = own(tmp_path, split=config.split, augment=AugmentOptions(flip="on"))
    unfitted = Pipeline.from_config(forced, split(load(forced), forced))
    assert unfitted.network.augment is not None and unfitted.network.augment.flip
    assert unfitted.mirroring is None


def test_colour_is_mirrored_unless_that_is_clearly_worse_and_grey_only_if_better() -> None:
    sure = np.random.default_rng(0).uniform(0.2, 0.9, 100)
    alike, worse = np.roll(sure, 1), sure / 2
    assert mirroring(sure, alike, colour=True) and not mirroring(sure, alike, colour=False)
    assert not mirroring(sure, worse, colour=True)
    assert mirroring(worse, sure, colour=False)


def test_images_are_served_at_the_size_they_were_read_at(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(20):
        path = tmp_path / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (150, 160, 3), dtype=np.uint8)).save(path)
    for model, side in (("auto", 96), ("efficientnet-lite0", 128), ("linear", 96)):
        config = own(tmp_path, model=model, image_size=0)
        splits = split(load(config), config)
        assert splits.train.images.shape[1:] == (side, side, 3)
        if model != "efficientnet-lite0":  # needs its weights
            assert Pipeline.from_config(config, splits).preprocess.size == side


def test_colour_takes_resnet9_and_grey_the_small_resnet(tmp_path: Path) -> None:
    config = own(arrows(tmp_path, 20))
    assert Pipeline.from_config(config, split(load(config), config)).network.name == "resnet9"
    grey = dataclasses.replace(config, dataset="digits", data=DataOptions())
    assert Pipeline.from_config(grey, split(load(grey), grey)).network.name == "cnn"


def test_the_baseline_is_served_where_validation_prefers_it(tmp_path: Path) -> None:
    config = own(arrows(tmp_path), split=SplitOptions(valid_share=0.3))
    splits = split(load(config), config)
    pipeline = Pipeline.from_config(config, splits).fit_baseline(splits)
    pipeline.network.least_steps = 1  # leaves it untrained
    pipeline.network.learning_rate = 1e-7
    pipeline.fit_network(splits).fit_temperature(splits)
    assert pipeline.served_ is pipeline.baseline is not pipeline.network
    assert pipeline.notices[-1].startswith("linear is served, not resnet9: accuracy on the 18 ")
    report = evaluate(pipeline, splits)
    names = [row.name for row in report.tables[0].rows]
    assert names == ["linear", "resnet9", "linear + temperature"] and report.served == names[2]
    pipeline.save(tmp_path)
    assert Pipeline.load(tmp_path).network.name == "linear"


def test_given_parts_and_groups_come_from_flags(turned: Path) -> None:
    config = dataclasses.replace(
        SMALL, dataset="folder", data=DataOptions(train=turned, test=turned, group=r"^\d")
    )  # groups by the first digit
    splits = split(load(config), config)
    assert len(splits.test) == 40 and len(splits.train) + len(splits.valid) == 40
    assert "groups kept whole" in (splits.source.notice or "")
    with pytest.raises(ValueError, match=r"--data\.path"):
        Config(dataset="folder", data=DataOptions(test=turned))
