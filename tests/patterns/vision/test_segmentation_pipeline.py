"""The segmentation pipeline end to end on simulated nuclei: contracts, leakage, service."""

import base64
import dataclasses
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter
from toy_report import check_whole

from common import artifacts
from patterns.vision.segmentation import protocols
from patterns.vision.segmentation.config import (
    NAME,
    PRESETS,
    Config,
    SplitOptions,
    TilingOptions,
    TrainingOptions,
    UNetOptions,
    WorldOptions,
)
from patterns.vision.segmentation.data import Splits, find_mosaics, load, modality, split
from patterns.vision.segmentation.evaluate import evaluate
from patterns.vision.segmentation.pipeline import Pipeline
from patterns.vision.segmentation.stages.training import repeats

SMALL = dataclasses.replace(
    PRESETS["smoke"],
    world=WorldOptions(images=24),
    unet=UNetOptions(width=6, levels=2),
    training=TrainingOptions(epochs=25, crop=64, batch_size=4, learning_rate=1e-2),
)


@pytest.fixture(scope="module")
def splits() -> Splits:
    return split(load(SMALL), SMALL)


def fitted(splits: Splits, config: Config = SMALL) -> Pipeline:
    """Fit all stages and serve the network, though Otsu is as good in so small a world."""
    pipeline = Pipeline.from_config(config, splits).fit_baseline(splits).fit_network(splits)
    pipeline.fit_postprocess(splits)
    if pipeline.rejected_ is not None:
        pipeline.network, pipeline.postprocess = pipeline.rejected_  # type: ignore[assignment]
        pipeline.rejected_ = None
        pipeline.notices.clear()
    return pipeline


@pytest.fixture(scope="module")
def pipeline(splits: Splits) -> Pipeline:
    return fitted(splits)


def test_the_example_shows_an_object_and_is_quickly_sent(splits: Splits) -> None:
    empty, large = np.zeros((8, 8, 3), np.uint8), np.full((900, 1200, 3), 7, np.uint8)
    masks = [np.zeros((8, 8), np.int64), np.ones((900, 1200), np.int64)]
    train = dataclasses.replace(splits.train, images=[empty, large], masks=masks)
    example = Pipeline.from_config(SMALL, dataclasses.replace(splits, train=train)).example
    assert example.shape == (480, 640, 3) and example.max() == 7


def test_it_learns_the_planted_nuclei(pipeline: Pipeline, splits: Splits) -> None:
    """The network reaches .94; untrained .2, on turned masks .44; Otsu of one side only .75."""
    report = evaluate(pipeline, splits)
    head = report.tables[0]
    assert head.rows[0].baseline and head.rows[0].name == "otsu"
    figures = report.headline()
    assert figures["otsu"]["IoU"] > 0.9
    assert figures["unet"]["IoU"] > 0.85
    assert figures["+ splitting"]["objects found"] > figures["unet"]["objects found"] > 0.7
    gained = {row.name: row.values["value"] for row in report.tables[1].rows}["IoU gained"]
    assert gained.value == pytest.approx(figures["+ splitting"]["IoU"] - figures["otsu"]["IoU"])
    assert gained.low <= gained.value <= gained.high
    assert pipeline.valid_iou_ is not None and pipeline.valid_iou_ > 0.85
    assert {"counts", "IoU by image"} <= {figure.name for figure in report.figures}
    check_whole(report)
    worst, *_, best = report.examples[0].items
    assert float(worst.title.split()[1]) < float(best.title.split()[1])
    assert [each.label.split(":")[0] for each in best.pictures] == [
        "image",
        "truth",
        "otsu",
        "ours",
    ]
    assert report.notices == list(splits.notices)


def test_a_network_worse_than_otsu_on_validation_is_not_served(
    splits: Splits, tmp_path: Path
) -> None:
    quick = dataclasses.replace(SMALL, training=TrainingOptions(epochs=1, crop=64, batch_size=8))
    pipeline = Pipeline.from_config(quick, splits).fit_network(splits).fit_postprocess(splits)
    assert pipeline.network is None and pipeline.rejected_ is not None
    assert pipeline.notices[0].startswith("otsu is served, not unet: IoU on the ")
    report = evaluate(pipeline, splits)
    assert [row.name for row in report.tables[0].rows][1:] == ["unet", "otsu + splitting"]
    assert report.headline()["unet"]["IoU"] < 0.6 < report.headline()["otsu"]["IoU"]
    pipeline.save(tmp_path)
    (again,) = Pipeline.load(tmp_path).segment(splits.test.images[:1])
    assert np.array_equal(again.mask, pipeline.segment(splits.test.images[:1])[0].mask)


def test_same_seed_gives_the_same_model_and_test_masks_do_not_matter(splits: Splits) -> None:
    quick = dataclasses.replace(SMALL, training=TrainingOptions(epochs=2, crop=64, batch_size=8))
    garbled = dataclasses.replace(
        splits,
        test=dataclasses.replace(splits.test, masks=[0 * mask for mask in splits.test.masks]),
    )
    first, second = fitted(splits, quick), fitted(garbled, quick)
    images = splits.test.images[:3]
    assert vars(first.postprocess) == vars(second.postprocess)
    for left, right in zip(first.probabilities(images), second.probabilities(images), strict=True):
        assert np.array_equal(left, right)


def test_saved_and_loaded_gives_equal_answers(
    pipeline: Pipeline, splits: Splits, tmp_path: Path
) -> None:
    pipeline.save(tmp_path)
    loaded = Pipeline.load(tmp_path)
    images = splits.test.images[:4]
    for left, right in zip(loaded.segment(images), pipeline.segment(images), strict=True):
        assert np.array_equal(left.mask, right.mask) and left.count == right.count
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".safetensors", ".png"}


def test_a_batch_equals_its_images_one_by_one_and_none_gives_none(
    pipeline: Pipeline, splits: Splits
) -> None:
    images = splits.test.images[:3]
    together = pipeline.segment(images)
    for image, answer in zip(images, together, strict=True):
        (alone,) = pipeline.segment([image])
        assert np.array_equal(alone.mask, answer.mask)
        assert answer.count == answer.mask.max()
    assert pipeline.segment([]) == []


def test_any_size_is_answered_at_its_size(pipeline: Pipeline) -> None:
    for shape in ((1, 1), (7, 90), (131, 64, 3), (700, 530, 3)):
        (answer,) = pipeline.segment([np.full(shape, 30, np.uint8)])
        assert answer.mask.shape == shape[:2]


def test_the_baseline_alone_is_a_pipeline(splits: Splits, tmp_path: Path) -> None:
    config = dataclasses.replace(SMALL, model="baseline")
    pipeline = fitted(splits, config)
    pipeline.save(tmp_path)
    images = splits.test.images[:2]
    for left, right in zip(
        Pipeline.load(tmp_path).segment(images), pipeline.segment(images), strict=True
    ):
        assert np.array_equal(left.mask, right.mask)


def mosaic(seed: int, size: int = 64) -> list[np.ndarray]:
    """Cut one smooth image into four tiles."""
    noise = np.random.default_rng(seed).normal(size=(2 * size, 2 * size, 3))
    smooth = gaussian_filter(noise, (4, 4, 0))
    image = np.clip(128 + 60 * smooth / smooth.std(), 0, 255).astype(np.uint8)
    return [image[r : r + size, c : c + size] for r in (0, size) for c in (0, size)]


def test_tiles_of_one_image_are_found_and_others_are_not() -> None:
    images = [mosaic(seed) for seed in range(6)]
    order = np.random.default_rng(0).permutation(24)
    tiles = [tile for image in images for tile in image]
    groups = find_mosaics([tiles[i] for i in order])
    truth = order // 4
    assert len(np.unique(groups)) == 6
    assert all(len(np.unique(groups[truth == image])) == 1 for image in range(6))


def test_dark_images_are_not_taken_for_one_slide() -> None:
    assert len(np.unique(find_mosaics([np.full((32, 32, 3), 3, np.uint8)] * 5))) == 5


def test_the_mosaic_split_keeps_slides_together_and_the_random_one_does_not() -> None:
    table = load(SMALL)
    tiles = [tile for seed in range(15) for tile in mosaic(seed)]
    masks = [np.zeros(tile.shape[:2], np.uint16) for tile in tiles]
    table = dataclasses.replace(table, images=tiles, masks=masks)
    kept = split(table, SMALL)
    parts = [set(part.groups) for part in (kept.train, kept.valid, kept.test)]
    assert not parts[0] & parts[1] and not parts[0] & parts[2] and not parts[1] & parts[2]
    assert sum(len(part) for part in (kept.train, kept.valid, kept.test)) == 60
    assert " 0% of the test images" in kept.notices[0]
    loose = split(table, dataclasses.replace(SMALL, split=SplitOptions(by="image")))
    assert set(loose.train.groups) & set(loose.test.groups)
    assert " 0% of the test images" not in loose.notices[0]


def test_the_published_protocol_stands_beside_our_figures() -> None:
    table = load(SMALL)
    quick = dataclasses.replace(SMALL, training=TrainingOptions(epochs=2, crop=64, batch_size=8))
    with pytest.raises(ValueError, match="--dataset nuclei"):
        protocols.run("dsb-96", table, quick)
    nuclei = dataclasses.replace(table, source=dataclasses.replace(table.source, name="nuclei"))
    (found,) = protocols.run("dsb-96", nuclei, quick)
    names = ["otsu", "unet", "otsu + splitting", "U-Net, published", "U-Net++, published"]
    assert [row.name for row in found.rows] == names  # after two epochs Otsu is better
    assert [row.values["IoU"] for row in found.rows[3:]] == [0.839, 0.842]
    assert "96 x 96" in found.caption and "split by image" in found.caption


def test_images_of_the_protocol_are_small_and_labels_stay_labels() -> None:
    labels = np.zeros((200, 150), np.uint16)
    labels[50:150, 50:150] = 40_000
    image, small = protocols.shrink(np.zeros((200, 150, 3), np.uint8), labels, side=96)
    assert image.shape == (96, 96, 3)
    assert set(np.unique(small)) == {0, 40_000} and small.dtype == np.uint16


def test_modality_is_told_by_colour() -> None:
    grey = np.repeat(np.arange(64, dtype=np.uint8).reshape(8, 8, 1), 3, axis=2)
    stained = grey.copy()
    stained[..., 1] //= 2
    assert modality(grey) == "grey" and modality(stained) == "stained"


def test_the_rarer_modality_is_shown_more_often() -> None:
    kinds = ["grey"] * 80 + ["stained"] * 20
    shown = repeats(kinds, rarest=1 / 3)
    assert shown[:80].tolist() == [1] * 80 and shown[80:].tolist() == [2] * 20
    assert repeats(kinds, rarest=0.1).tolist() == [1] * 100
    assert repeats(["grey"] * 3, rarest=0.4).tolist() == [1] * 3


def test_wrong_choices_name_the_flag() -> None:
    with pytest.raises(ValueError, match=r"--data\.path"):
        Config(dataset="folder")
    with pytest.raises(ValueError, match="multiple of 16"):
        Config(training=TrainingOptions(crop=100))
    with pytest.raises(ValueError, match="--protocol"):
        Config(protocol="best")
    with pytest.raises(ValueError, match="multiple of 64"):
        Config(tiling=TilingOptions(tile=500))
    with pytest.raises(ValueError, match="more than half a tile"):
        Config(tiling=TilingOptions(overlap=400))
    with pytest.raises(ValueError, match="does not take 'digits'"):
        load(Config(dataset="digits"))


def encoded(image: np.ndarray, kind: str = "PNG") -> str:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format=kind)
    return base64.b64encode(buffer.getvalue()).decode()


def test_the_service_answers_what_the_pipeline_answers(
    pipeline: Pipeline, splits: Splits, tmp_path: Path
) -> None:
    from fastapi.testclient import TestClient

    from common.serving import create_app
    from patterns.vision.segmentation.serve import SegmentationService

    config = dataclasses.replace(SMALL, runs=tmp_path)
    artifacts.save(pipeline, evaluate(pipeline, splits), config, name=NAME)
    run = artifacts.open_run("latest", name=NAME, runs=tmp_path)
    with TestClient(create_app(SegmentationService(run), run)) as client:
        image = splits.test.images[0]
        answer = client.post("/predict", json={"image": encoded(image)}).json()
        (expected,) = pipeline.segment([image])
        assert answer["count"] == expected.count
        with Image.open(io.BytesIO(base64.b64decode(answer["mask"]))) as mask:
            assert np.array_equal(np.asarray(mask), expected.mask)
        whole = base64.b64decode(encoded(image))
        huge = encoded(np.zeros((3000, 3000), np.uint8))
        for broken in ("@@", "aGVsbG8=", base64.b64encode(whole[:90]).decode(), huge):
            refused = client.post("/predict", json={"image": broken})
            assert 400 <= refused.status_code < 500
            assert "image" in refused.text
        assert client.post("/predict", json={"image": encoded(image, "TGA")}).status_code == 415
