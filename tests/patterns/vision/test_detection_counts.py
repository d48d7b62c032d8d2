"""Counts: what validation shows of the scores is undone, and nothing found is nothing there."""

from pathlib import Path

import numpy as np
import pytest

from patterns.vision.detection.stages.counts import Counts, count_labels
from patterns.vision.detection.stages.postprocess import Detections


def image(scores: np.ndarray, label: int = 0) -> Detections:
    count = len(scores)
    return Detections(np.zeros((count, 4), np.float32), scores, np.full(count, label))


def smears(images: int, *, seed: int) -> tuple[list[Detections], list[np.ndarray]]:
    """Images of 0 to 29 cells, each found with a score of .2 to .6, two thirds of them labelled."""
    rng = np.random.default_rng(seed)
    cells = rng.integers(0, 30, images)
    found = [image(rng.uniform(0.2, 0.6, count)) for count in cells]
    return found, [np.zeros(round(count * 2 / 3), np.int64) for count in cells]


def test_it_counts_what_is_labelled_where_scores_are_no_probabilities() -> None:
    counts = Counts(classes=2).fit(*smears(60, seed=0))
    found, labels = smears(40, seed=1)
    error = np.abs(counts.predict(found) - count_labels(labels, 2))[:, 0].mean()
    plain = [
        np.abs((each.scores > 0.4).sum() - len(own))
        for each, own in zip(found, labels, strict=True)
    ]
    assert error < 0.7 < 2 < np.mean(plain)
    assert counts.power_[0] == pytest.approx(1)  # the sum is to be trusted
    assert counts.predict([image(np.zeros(0))]).tolist() == [[0, 0]]


def test_scores_that_say_nothing_give_the_usual_count() -> None:
    rng = np.random.default_rng(0)
    found = [image(rng.uniform(0.1, 0.9, 8)) for _ in range(200)]
    labels = [np.zeros(count, np.int64) for count in rng.choice([10, 12, 20], 200)]
    counts = Counts(classes=1).fit(found, labels)
    assert counts.power_[0] < 0.3
    assert set(counts.predict(found).ravel()) <= {11, 12, 13}


def test_each_class_has_its_own_count_and_an_unseen_one_the_sum_of_its_scores() -> None:
    found, labels = smears(60, seed=0)
    counts = Counts(classes=2).fit(found, labels)
    first, second = image(np.full(9, 0.5)), image(np.full(9, 0.5), label=1)
    both = Detections(
        *(np.concatenate(pair) for pair in zip(
            (first.boxes, first.scores, first.labels),
            (second.boxes, second.scores, second.labels),
            strict=True,
        ))
    )  # fmt: skip
    assert counts.predict([both, first, second]).tolist() == [[7, 4], [7, 0], [0, 4]]
    assert counts.predict([]).shape == (0, 2)


def test_saved_and_loaded_it_counts_alike(tmp_path: Path) -> None:
    found, labels = smears(60, seed=0)
    counts = Counts(classes=1).fit(found, labels)
    counts.save(tmp_path)
    assert np.array_equal(Counts.load(tmp_path).predict(found), counts.predict(found))
