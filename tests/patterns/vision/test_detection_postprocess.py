"""Non-maximum suppression, claims and thresholds: by hand and against torchvision."""

from pathlib import Path

import numpy as np
import pytest

from patterns.vision.detection.stages.postprocess import (
    Detections,
    match,
    postprocess,
    suppress,
)
from patterns.vision.detection.stages.thresholds import Thresholds


def random_boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    corner, size = rng.uniform(0, 80, (count, 2)), rng.uniform(5, 60, (count, 2))
    return np.concatenate([corner, corner + size], axis=1).astype(np.float32)


@pytest.mark.parametrize("seed", range(5))
def test_suppression_equals_torchvision(seed: int) -> None:
    torch = pytest.importorskip("torch")
    from torchvision.ops import batched_nms

    rng = np.random.default_rng(seed)
    boxes, labels = random_boxes(rng, 200), rng.integers(0, 3, 200)
    scores = rng.permutation(200).astype(np.float32) / 200
    theirs = batched_nms(*map(torch.from_numpy, (boxes, scores, labels)), 0.5)
    assert np.array_equal(suppress(boxes, scores, labels, overlap=0.5), theirs.numpy())


def test_one_object_seen_thrice_is_one_box_and_classes_do_not_suppress_each_other() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [0, 1, 10, 11], [0, 0, 10, 10]], np.float32)
    kept = suppress(boxes, np.array([0.5, 0.9, 0.7, 0.6]), np.array([0, 0, 0, 1]), overlap=0.5)
    assert kept.tolist() == [1, 3]


def test_equal_scores_keep_the_earlier_box() -> None:
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 10]], np.float32)
    assert suppress(boxes, np.ones(2), np.zeros(2, int), overlap=0.5).tolist() == [0]


def test_boxes_that_overlap_by_the_limit_are_two_objects() -> None:
    boxes = np.array([[0, 0, 10, 10], [0, 5, 10, 10]], np.float32)  # IoU of exactly one half
    scores, labels = np.array([0.9, 0.8]), np.zeros(2, int)
    assert suppress(boxes, scores, labels, overlap=0.5).tolist() == [0, 1]
    assert suppress(boxes, scores, labels, overlap=0.49).tolist() == [0]


def test_nothing_above_the_threshold_is_an_empty_answer() -> None:
    found = postprocess(np.zeros((5, 4)), np.full((5, 3), 0.1), confidence=0.5)
    assert found.boxes.shape == (0, 4) and not len(found.scores) and not len(found.labels)


def test_a_score_at_the_threshold_counts_and_only_the_best_are_considered() -> None:
    boxes = np.arange(6)[:, None] * 100 + np.array([0.0, 0, 10, 10])
    scores = np.array([[0.5], [0.4], [0.75], [0.6], [0.9], [0.8]])
    assert postprocess(boxes, scores, confidence=0.5).scores[-1] == 0.5
    found = postprocess(boxes, scores, confidence=0.5, considered=3)
    assert np.array_equal(found.boxes, boxes[[4, 5, 2]])


def test_most_bounds_the_answer_and_a_cell_may_answer_for_two_classes() -> None:
    boxes = np.arange(10)[:, None] * 100 + np.array([0.0, 0, 10, 10])
    scores = np.linspace(0.5, 0.9, 10)[:, None] * np.array([1.0, 0.99])
    found = postprocess(boxes, scores, confidence=0.3, most=4)
    assert found.labels.tolist() == [0, 1, 0, 1]
    assert np.allclose(found.boxes[:2], boxes[9]) and np.allclose(found.boxes[2:], boxes[8])


def test_above_takes_one_threshold_or_one_for_each_class() -> None:
    found = Detections(np.zeros((3, 4)), np.array([0.9, 0.5, 0.4]), np.array([0, 1, 0]))
    assert found.above(0.5).scores.tolist() == [0.9, 0.5]
    assert found.above(np.array([0.3, 0.6])).scores.tolist() == [0.9, 0.4]


def test_each_true_box_is_claimed_once_by_the_best_score() -> None:
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 9], [50, 50, 60, 60]], np.float32)
    found = Detections(boxes, np.array([0.9, 0.8, 0.7]), np.array([0, 0, 1]))
    true = np.array([[0, 0, 10, 10], [50, 50, 60, 60]], np.float32)
    assert match(found, true, np.array([0, 0])).tolist() == [0, -1, -1]
    assert match(found, true, np.array([0, 1])).tolist() == [0, -1, 1]
    assert match(found, np.zeros((0, 4)), np.zeros(0, int)).tolist() == [-1, -1, -1]


def test_a_claim_needs_an_overlap_of_at_least_the_limit() -> None:
    found = Detections(np.array([[0, 0, 10, 10]], np.float32), np.ones(1), np.zeros(1, int))
    for height, claimed in ((5, 0), (4.9, -1)):  # IoU of one half, and a little less
        true = np.array([[0, 0, 10, height]], np.float32)
        assert match(found, true, np.array([0])).tolist() == [claimed]


def test_a_threshold_counts_the_true_boxes_of_its_own_class() -> None:
    true = np.arange(10)[:, None] * 100 + np.array([0.0, 0, 10, 10])
    boxes = np.concatenate([true[:1], true[2:5], true[1:2]])  # right, three false, right
    found = Detections(boxes, np.array([0.9, 0.8, 0.7, 0.65, 0.6]), np.zeros(5, int))
    labels = np.array([0, 0] + [1] * 8)
    limits = Thresholds(classes=2).fit([found], [true], [labels])
    assert limits.values_.tolist() == [0.9, 0.25]  # F1 of 2/3 at 0.9, of 4/7 at 0.6


def test_thresholds_maximise_f1_by_class(tmp_path: Path) -> None:
    true = np.array([[0, 0, 10, 10], [20, 0, 30, 10]], np.float32)
    boxes = np.array([*true, [40, 0, 50, 10], [60, 0, 70, 10]], np.float32)
    found = Detections(boxes, np.array([0.9, 0.6, 0.3, 0.8]), np.array([0, 0, 0, 1]))
    limits = Thresholds(classes=2).fit([found], [true], [np.array([0, 0])])
    # The third of class 0 is false; class 1 is never right.
    assert limits.values_.tolist() == [0.6, 0.25]
    limits.save(tmp_path)
    for each in (limits, Thresholds.load(tmp_path)):
        assert each.select([found])[0].scores.tolist() == [0.9, 0.6, 0.8]
