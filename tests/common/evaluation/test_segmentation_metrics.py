"""Dice and IoU: by hand, against scikit-learn's pixel scores, by property, and refusals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, jaccard_score

from common.evaluation import segmentation as s


def masks(seed, classes=2, images=4):
    """Pairs of maps of unequal sizes, the prediction a garbled truth."""
    rng = np.random.default_rng(seed)
    truth = [rng.integers(0, classes, rng.integers(3, 9, 2)) for _ in range(images)]
    predicted = [
        np.where(rng.random(true.shape) < 0.7, true, rng.integers(0, classes, true.shape))
        for true in truth
    ]
    return predicted, truth


@given(seed=st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_equals_sklearn_on_pixels(seed):
    predicted, truth = masks(seed)
    pairs = list(zip(truth, predicted, strict=True))
    expected = [f1_score(t.ravel(), p.ravel(), zero_division=1) for t, p in pairs]
    np.testing.assert_allclose(s.dice(predicted, truth), expected)
    expected = [jaccard_score(t.ravel(), p.ravel(), zero_division=1) for t, p in pairs]
    np.testing.assert_allclose(s.iou(predicted, truth), expected)
    all_true, all_said = (np.concatenate([m.ravel() for m in part]) for part in (truth, predicted))
    assert s.pooled_iou(predicted, truth) == pytest.approx(jaccard_score(all_true, all_said))


def test_classes_equal_sklearn_and_absent_ones_are_left_out():
    predicted, truth = masks(1, classes=3)
    all_true, all_said = (np.concatenate([m.ravel() for m in part]) for part in (truth, predicted))
    each = jaccard_score(all_true, all_said, average=None)
    np.testing.assert_allclose(s.iou_per_class(predicted, truth, 5), [*each, np.nan, np.nan])
    assert s.mean_iou(predicted, truth, 5) == pytest.approx(each.mean())
    assert s.pixel_confusion(predicted, truth, 3).sum() == len(all_true)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_dice_follows_iou_both_are_symmetric_and_bounded(seed):
    predicted, truth = masks(seed)
    iou = s.iou(predicted, truth)
    np.testing.assert_allclose(s.dice(predicted, truth), 2 * iou / (1 + iou))
    np.testing.assert_allclose(iou, s.iou(truth, predicted))
    assert np.all((iou >= 0) & (iou <= 1))
    np.testing.assert_allclose(s.iou(truth, truth), 1)


def test_empty_masks_agree_and_a_stack_works_like_a_list():
    blank, full = np.zeros((1, 2, 2), bool), np.ones((1, 2, 2), bool)
    assert s.dice(blank, blank).tolist() == [1] and s.iou(blank, full).tolist() == [0]
    both = np.concatenate([blank, full])
    assert s.iou(both, both[::-1]).tolist() == [0, 0]
    assert s.pooled_iou(both, both[::-1]) == 0


def test_instances_by_hand():
    truth = np.array([[1, 1, 0, 2, 2, 2, 2, 0, 3]])
    predicted = np.array([[5, 5, 0, 9, 9, 9, 0, 0, 0]])  # exact, 3/4 overlap, one missed
    score = s.instance_precision([predicted], [truth], thresholds=(0.5, 0.7, 0.8))
    np.testing.assert_allclose(score, [[2 / 3, 2 / 3, 1 / 4]])
    blank = np.zeros((1, 4), int)
    assert s.instance_precision([blank, blank], [blank, blank + 1]).tolist() == [[1], [0]]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: s.dice([], []), "predicted is empty"),
        (lambda: s.dice([np.zeros((2, 2))], [np.zeros((3, 3))]), r"predicted is \(2, 2\), truth"),
        (lambda: s.dice([np.zeros((2, 2))], []), "lengths differ"),
        (
            lambda: s.iou([np.full((2, 2), 0.4)], [np.zeros((2, 2))]),
            "predicted of image 0.*boolean",
        ),
        (lambda: s.iou([np.full((2, 2), np.nan)], [np.zeros((2, 2))]), "other than 0 and 1"),
        (lambda: s.mean_iou([np.full((2, 2), 3)], [np.zeros((2, 2), int)], 2), "classes is 2"),
        (lambda: s.mean_iou([np.zeros((2, 2))], [np.zeros((2, 2))], 2), "pass class numbers"),
        (lambda: s.instance_precision([np.eye(2)], [np.eye(2)]), "predicted .float64.*whole"),
        (
            lambda: s.instance_precision([np.eye(2)], [np.eye(2)], thresholds=[0.3]),
            "match twice",
        ),
    ],
)
def test_refusals_name_argument_and_remedy(call, words):
    with pytest.raises(ValueError, match=words):
        call()
