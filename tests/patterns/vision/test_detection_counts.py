"""Counts: boxes where they are right, a regression where labels are not what scores suggest."""

from pathlib import Path

import numpy as np
import pytest

from patterns.vision.detection.stages.counts import Counts, count_labels, look
from patterns.vision.detection.stages.postprocess import Detections

Smears = tuple[list[Detections], list[Detections], list[np.ndarray], list[np.ndarray]]


def image(scores: np.ndarray, labels: np.ndarray) -> Detections:
    return Detections(np.zeros((len(scores), 4), np.float32), scores, labels)


def smears(images: int, *, seed: int) -> Smears:
    """Images of up to 29 red cells, two thirds of them labelled, and of up to 3 white, all so."""
    rng = np.random.default_rng(seed)
    red, white = rng.integers(0, 30, images), rng.integers(0, 4, images)
    found = [
        image(
            np.concatenate([rng.uniform(0.2, 0.6, r), rng.uniform(0.8, 1, w), [0.6]]),
            np.repeat([0, 1, 1], [r, w, 1]),
        )
        for r, w in zip(red, white, strict=True)
    ]
    labels = [np.repeat([0, 1], [round(r * 2 / 3), w]) for r, w in zip(red, white, strict=True)]
    pixels = [np.full((8, 8, 3), 200, np.uint8)] * images
    return found, [each.above(np.array([0.45, 0.7])) for each in found], labels, pixels


@pytest.fixture(scope="module")
def counts() -> Counts:
    found, kept, labels, images = smears(80, seed=0)
    return Counts(classes=2).fit(found, kept, labels, images)


def test_each_class_is_counted_as_validation_shows_it_to_be_right(counts: Counts) -> None:
    found, kept, labels, images = smears(40, seed=1)
    true, boxes = count_labels(labels, 2), count_labels([each.labels for each in kept], 2)
    errors = np.abs(counts.predict(found, kept, images) - true).mean(axis=0)
    assert counts.regressed_.tolist() == [True, False]
    assert errors[0] < 0.8 < 2 < np.abs(boxes - true)[:, 0].mean()
    assert errors[1] == 0


def test_nothing_found_is_nothing_there(counts: Counts) -> None:
    blank, grey = image(np.full(5, 0.1), np.zeros(5, np.int64)), np.full((4, 4, 3), 90, np.uint8)
    nothing = blank.above(1.0)
    assert counts.predict([blank, nothing], [nothing] * 2, [grey] * 2).tolist() == [[0, 0], [0, 0]]
    assert counts.predict([], [], []).shape == (0, 2)


def test_a_small_validation_part_leaves_the_boxes() -> None:
    found, kept, labels, images = smears(30, seed=0)
    few = Counts(classes=2).fit(found, kept, labels, images)
    assert not few.regressed_.any()
    expected = count_labels([each.labels for each in kept], 2)
    assert np.array_equal(few.predict(found, kept, images), expected)


def test_labels_that_depend_on_the_image_are_learned() -> None:
    """A sharp image has 12 labels and a blurred one 6, whatever is found there."""
    rng = np.random.default_rng(0)
    cells, sharp = rng.integers(6, 24, 80), np.arange(80) % 16 < 8
    found = [image(np.full(n, 0.6), np.zeros(n, np.int64)) for n in cells]
    labels = [np.zeros(12 if s else 6, np.int64) for s in sharp]
    images = [rng.integers(0, 255 if s else 20, (16, 16, 3)).astype(np.uint8) for s in sharp]
    counts = Counts(classes=1).fit(found, found, labels, images)
    assert set(counts.predict(found, found, images)[sharp, 0]) <= {11, 12, 13}
    assert set(counts.predict(found, found, images)[~sharp, 0]) <= {5, 6, 7}


def test_an_image_of_one_pixel_is_looked_at() -> None:
    assert look(np.full((1, 1, 3), 7, np.uint8)).tolist() == [0, 7, 7, 7]


def test_saved_and_loaded_it_counts_alike(counts: Counts, tmp_path: Path) -> None:
    counts.save(tmp_path)
    found, kept, _, images = smears(10, seed=2)
    again = Counts.load(tmp_path).predict(found, kept, images)
    assert np.array_equal(again, counts.predict(found, kept, images))
