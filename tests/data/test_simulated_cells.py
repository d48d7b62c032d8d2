"""The simulated microscope: seeded, quick, and its boxes and masks are the truth of its pixels."""

import time

import numpy as np
import pytest

import data
from data.simulated import cells


def test_the_same_seed_gives_the_same_world_and_another_another() -> None:
    first, again = cells.generate(seed=3, images=8), cells.generate(seed=3, images=8)
    other = cells.generate(seed=4, images=8)
    assert all(np.array_equal(a, b) for a, b in zip(first.images, again.images, strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(first.boxes, again.boxes, strict=True))
    assert not np.array_equal(first.images[0], other.images[0])


def test_a_larger_world_starts_with_the_smaller_one() -> None:
    small, large = cells.generate(seed=1, images=6), cells.generate(seed=1, images=12)
    assert np.array_equal(small.images[5], large.images[5])


def test_boxes_lie_in_the_picture_and_have_the_planted_sizes() -> None:
    world = cells.generate(seed=0, images=60)
    boxes, labels = np.concatenate(world.boxes), np.concatenate(world.labels)
    assert boxes.dtype == np.float32 and labels.dtype == np.int64
    assert (boxes[:, :2] >= 0).all() and (boxes[:, 2] <= 320).all() and (boxes[:, 3] <= 240).all()
    size = boxes[:, 2:] - boxes[:, :2]
    assert (size >= 4).all()
    inner = (boxes[:, :2] > 0).all(axis=1) & (boxes[:, 2] < 320) & (boxes[:, 3] < 240)
    for label, radius in enumerate(cells.RADIUS):
        median = np.median(size[inner & (labels == label)])
        assert median == pytest.approx(2 * radius * 240, rel=0.15)


def test_classes_differ_in_colour_as_planted() -> None:
    world = cells.generate(seed=0, images=30)
    greens: dict[int, list[float]] = {0: [], 1: [], 2: []}
    for image, boxes, labels in zip(world.images, world.boxes, world.labels, strict=True):
        for (x0, y0, x1, y1), label in zip(boxes.astype(int), labels, strict=True):
            y, x = (y0 + y1) // 2, (x0 + x1) // 2
            greens[int(label)].append(float(image[y, x, 1]))
    red, white, platelet = (np.median(greens[label]) for label in range(3))
    assert red > 170 > platelet > white


def test_the_split_covers_every_picture_once() -> None:
    world = cells.generate(images=50)
    parts = [world.split[name] for name in ("train", "valid", "test")]
    assert [len(part) for part in parts] == [30, 10, 10]
    assert sorted(np.concatenate(parts)) == list(range(50))


def test_masks_are_numbered_without_a_gap_and_lie_on_nuclei() -> None:
    world = cells.generate_nuclei(seed=0, images=16)
    for image, mask, kind in zip(world.images, world.masks, world.kinds, strict=True):
        assert image.dtype == np.uint8 and mask.dtype == np.uint16 and mask.shape == (128, 128)
        assert np.array_equal(np.unique(mask), np.arange(mask.max() + 1))
        inside, outside = image[mask > 0].mean(), image[mask == 0].mean()
        assert inside < outside if kind == "stained" else inside > outside
    assert set(world.kinds) == {"stained", "fluorescence"}


def test_box_and_mask_of_a_lone_cell_agree() -> None:
    rng = np.random.default_rng(0)
    one = cells._place(rng, np.array([0]), np.array([20.0]), np.array([0.05]), 96, 128, overlap=0.0)
    _, mask, boxes = cells._paint_smear(rng, one, 96, 128)
    y, x = np.nonzero(mask)
    assert boxes[0].tolist() == [x.min(), y.min(), x.max() + 1, y.max() + 1]


def test_it_is_registered_and_quick() -> None:
    start = time.process_time()
    world = data.load("simulated-cells", seed=0, images=48)
    nuclei = data.load("simulated-nuclei", seed=0, images=24)
    assert time.process_time() - start < 3  # of the 240 and 120 that there are without being asked
    assert len(world.images) == 48 and len(nuclei.images) == 24


def test_sizes_out_of_range_are_named() -> None:
    with pytest.raises(ValueError, match="images=2"):
        cells.generate(images=2)
    with pytest.raises(ValueError, match="height=10"):
        cells.generate_nuclei(height=10)
