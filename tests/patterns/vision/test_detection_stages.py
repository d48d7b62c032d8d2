"""Letterbox, augmentation, baseline and loader: geometry is exact and chance is replayable."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from data.simulated import cells
from patterns.vision.detection.stages.augment import Augmentation, pad
from patterns.vision.detection.stages.blobs import Blobs, otsu
from patterns.vision.detection.stages.letterbox import GREY, Letterbox
from patterns.vision.detection.stages.network import Network
from patterns.vision.detection.stages.postprocess import match
from patterns.vision.detection.stages.yolo import AugmentedLoader

WORLD = cells.generate(seed=0, images=12, height=96, width=128)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Work this small is slower on two threads, and far slower where the cores are busy."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def rectangle(x0: int, y0: int, x1: int, y1: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    image = np.zeros((96, 128, 3), dtype=np.uint8)
    image[y0:y1, x0:x1] = 255
    return image, np.array([[x0, y0, x1, y1]], np.float32), np.array([2])


def test_letterbox_keeps_the_aspect_and_boxes_come_back() -> None:
    box, image = Letterbox(64, 96), np.zeros((480, 640, 3), np.uint8)
    assert box.batch([image]).shape == (1, 64, 96, 3)
    assert box.shrink(image).shape == (64, 85, 3)
    found = box.restore(np.array([[4.0, 8, 80, 60]]), image)  # 2 pixels for 15 of the image
    assert np.allclose(found, [[30, 60, 600, 450]], atol=1e-3)
    assert (box.batch([image])[0, :, 90:] == GREY).all()
    outside = box.restore(np.array([[-5.0, -5, 500, 500]]), image)
    assert outside.tolist() == [[0, 0, 640, 480]]


def test_letterbox_averages_over_the_pixels_it_swallows() -> None:
    board = np.indices((128, 192)).sum(axis=0) % 2 * np.uint8(255)
    small = Letterbox(64, 96).shrink(np.stack([board] * 3, axis=2).astype(np.uint8))
    assert small.shape == (64, 96, 3)
    assert (abs(small.astype(int) - 128) < 40).all()


@pytest.mark.parametrize("shape", [(1, 1), (7, 900), (900, 7), (64, 96)])
def test_letterbox_takes_images_of_any_shape(shape: tuple[int, int]) -> None:
    image = np.full((*shape, 3), 200, np.uint8)
    assert Letterbox(64, 96).batch([image]).shape == (1, 64, 96, 3)


def test_letterbox_refuses_sides_the_strides_do_not_divide() -> None:
    with pytest.raises(ValueError, match="multiple of 32"):
        Letterbox(100, 96)


@pytest.mark.parametrize("seed", range(12))
def test_a_warped_box_still_encloses_its_object(seed: int) -> None:
    image, boxes, labels = rectangle(40, 30, 80, 60)
    augment = Augmentation(mosaic=0.0, colour=0.0, zoom=(0.7, 1.4))
    images, moved, kinds = augment(
        [image], [boxes], [labels], np.array([0]), size=(96, 128), rng=np.random.default_rng(seed)
    )
    bright = images[0, 0].numpy() > 0.75
    if kinds[0, 0] < 0:
        assert bright.sum() < 0.4 * 1200 * 1.4**2
        return
    y, x = np.nonzero(bright)
    extent = [x.min(), y.min(), x.max() + 1, y.max() + 1]
    assert np.allclose(moved[0, 0].numpy(), extent, atol=1.6)
    assert kinds[0, 0] == 2


def test_a_mosaic_has_boxes_of_four_images_inside_the_canvas() -> None:
    augment = Augmentation(mosaic=1.0)
    images, boxes, labels = augment(
        WORLD.images, WORLD.boxes, WORLD.labels, np.arange(4), size=(96, 128),
        rng=np.random.default_rng(0),
    )  # fmt: skip
    real = labels >= 0
    assert real.sum() > 20
    assert images.shape == (4, 3, 96, 128) and images.min() >= 0 and images.max() <= 1
    assert (boxes[real][:, :2] >= 0).all() and (boxes[real][:, 2] <= 128).all()
    assert ((boxes[real][:, 2:] - boxes[real][:, :2]) > 0).all()


def test_an_image_without_boxes_is_padded() -> None:
    boxes, labels = pad([(np.zeros((0, 4), np.float32), np.zeros(0, np.int64))])
    assert boxes.shape == (1, 1, 4) and labels.tolist() == [[-1]]


def test_the_loader_replays_from_any_batch() -> None:
    def loader() -> AugmentedLoader:
        made = AugmentedLoader(
            (list(WORLD.images), WORLD.boxes, WORLD.labels), augment=Augmentation(),
            size=(96, 128), batch_size=4, steps=5, mosaic_epochs=1, seed=7,
        )  # fmt: skip
        made.set_epoch(3)
        return made

    whole, rest = list(loader()), list(loader().batches(3))
    assert len(whole) == 5 and len(rest) == 2
    for left, right in zip(whole[3:], rest, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(left, right, strict=True))
    assert not torch.equal(whole[0][0], whole[1][0])


def test_the_network_predicts_at_every_cell_of_three_levels() -> None:
    out = Network(classes=3, width=4)(torch.zeros(2, 3, 64, 96))
    count = 8 * 12 + 4 * 6 + 2 * 3
    assert out.logits.shape == (2, count, 3) and out.boxes.shape == (2, count, 4)
    assert (out.boxes[..., 2:] > out.boxes[..., :2]).all()
    assert out.logits.sigmoid().mean() < 0.05  # starts by finding nothing


def test_otsu_separates_two_heaps() -> None:
    values = np.concatenate([np.full(900, 1.0), np.full(100, 9.0)])
    assert 1.0 < otsu(values + np.linspace(0, 0.1, 1000)) < 9.0


def test_blobs_find_lone_cells_and_survive_saving(tmp_path: Path) -> None:
    world = cells.generate(seed=1, images=20)
    blobs = Blobs().fit(list(world.images), world.boxes, world.labels)
    found = blobs.predict(list(world.images))
    right = sum(
        (match(each, boxes, labels) >= 0).sum()
        for each, boxes, labels in zip(found, world.boxes, world.labels, strict=True)
    )
    assert right > 0.6 * sum(map(len, world.boxes))
    blobs.save(tmp_path)
    again = Blobs.load(tmp_path).predict([world.images[0]])[0]
    assert np.array_equal(again.boxes, found[0].boxes)
    assert np.array_equal(again.scores, found[0].scores)


@pytest.mark.parametrize("level", [0, 255])
def test_blobs_find_nothing_in_an_even_image(level: int) -> None:
    blobs = Blobs().fit([WORLD.images[0]], [WORLD.boxes[0]], [WORLD.labels[0]])
    (found,) = blobs.predict([np.full((64, 64, 3), level, np.uint8)])
    assert len(found.scores) == 0
