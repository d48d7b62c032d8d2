"""Mean average precision against pycocotools on random worlds, by hand, and refusals."""

import contextlib
import io

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from common.evaluation import detection


def random_world(seed):
    """Detections near true boxes, with tied scores, wrong classes, duplicates and empty images."""
    rng = np.random.default_rng(seed)
    classes, images = int(rng.integers(1, 5)), int(rng.integers(2, 15))
    most, crowd = int(rng.integers(1, 12)), 250 if seed % 4 == 0 else 30
    world = [[], [], [], [], []]
    for _ in range(images):
        count, found = rng.integers(0, most + 1), rng.integers(0, crowd)
        corner = rng.integers(0, 60, (count, 2))
        true_boxes = np.hstack([corner, corner + rng.integers(5, 30, (count, 2))]).astype(float)
        true_labels = rng.integers(0, classes, count)
        if count:
            near = rng.integers(0, count, found)
            boxes = true_boxes[near] + rng.integers(-4, 5, (found, 4))
            boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 1)
            lucky = rng.random(found) < 0.8
            labels = np.where(lucky, true_labels[near], rng.integers(0, classes, found))
        else:
            corner = rng.integers(0, 60, (found, 2))
            boxes, labels = np.hstack([corner, corner + 9.0]), rng.integers(0, classes, found)
        scores = np.round(rng.random(found), int(rng.choice([1, 4])))
        for column, part in zip(
            world, (boxes, scores, labels, true_boxes, true_labels), strict=True
        ):
            column.append(part)
    return world, classes


def coco_evaluation(boxes, scores, labels, true_boxes, true_labels, classes):
    def size(box):
        return [float(box[0]), float(box[1]), float(box[2] - box[0]), float(box[3] - box[1])]

    truth, found = [], []
    for image in range(len(boxes)):
        for box, label in zip(true_boxes[image], true_labels[image], strict=True):
            x, y, w, h = size(box)
            truth.append(
                {"id": len(truth) + 1, "image_id": image, "category_id": int(label), "iscrowd": 0}
                | {"bbox": [x, y, w, h], "area": w * h}
            )
        for box, score, label in zip(boxes[image], scores[image], labels[image], strict=True):
            found.append(
                {"image_id": image, "category_id": int(label), "score": float(score)}
                | {"bbox": size(box)}
            )
    with contextlib.redirect_stdout(io.StringIO()):
        reference = COCO()
        reference.dataset = {
            "images": [{"id": image} for image in range(len(boxes))],
            "categories": [{"id": label} for label in range(classes)],
            "annotations": truth,
        }
        reference.createIndex()
        evaluation = COCOeval(reference, reference.loadRes(found), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


@pytest.mark.parametrize("seed", range(16))
def test_equals_pycocotools(seed, monkeypatch):
    monkeypatch.setattr(detection, "_CELLS", 2000 if seed % 2 else 1 << 21)  # several chunks, one
    world, classes = random_world(seed)
    if seed % 4 == 0:  # more than the 100 detections that count
        assert max(np.bincount(labels, minlength=1).max() for labels in world[2]) > 100
    ours = detection.mean_average_precision(*world, classes=classes)
    theirs = coco_evaluation(*world, classes)
    precision = theirs.eval["precision"][:, :, :, 0, 2]
    np.testing.assert_allclose(
        ours.precision, np.where(precision < 0, np.nan, precision), atol=1e-9
    )
    recall = theirs.eval["recall"][:, :, 0, 2]
    np.testing.assert_allclose(ours.recall, np.where(recall < 0, np.nan, recall), atol=1e-9)
    assert ours.mean_average_precision == pytest.approx(theirs.stats[0], abs=1e-9)
    assert ours.per_threshold[0] == pytest.approx(theirs.stats[1], abs=1e-9)


def test_perfect_detections_score_one():
    truth = [np.array([[0, 0, 10, 10], [20, 20, 30, 40.0]]), np.zeros((0, 4))]
    labels = [np.array([0, 2]), np.zeros(0, int)]
    score = detection.mean_average_precision(truth, [[0.9, 0.8], []], labels, truth, labels)
    assert score.mean_average_precision == pytest.approx(1)
    assert np.isnan(score.per_class[1]) and score.true_boxes.tolist() == [1, 0, 1]


def test_second_claim_on_a_box_is_false():
    truth, found = [[[0, 0, 10, 10]]], [[[0, 0, 10, 10], [0, 0, 10, 9]]]
    right_first = detection.mean_average_precision(found, [[0.9, 0.8]], [[0, 0]], truth, [[0]])
    assert right_first.per_threshold[0] == pytest.approx(1)
    wrong_first = detection.mean_average_precision(
        [[[50, 50, 60, 60], [0, 0, 10, 10]]], [[0.9, 0.8]], [[0, 0]], truth, [[0]]
    )
    assert wrong_first.per_threshold[0] == pytest.approx(0.5)


def test_no_detection_scores_zero():
    score = detection.mean_average_precision([[]], [[]], [[]], [[[0, 0, 5, 5]]], [[1]], classes=3)
    assert score.mean_average_precision == 0
    assert score.per_class[1] == 0 and np.isnan(score.per_class[[0, 2]]).all()


def test_average_precision_by_hand():
    # right, wrong, right of 2: precision 1 up to recall .5 (51 points), 2/3 beyond (50 points)
    value = detection.average_precision([True, False, True], 2)
    np.testing.assert_allclose(value, [(51 + 50 * 2 / 3) / 101])
    assert detection.average_precision(np.zeros((0, 3)), 2).tolist() == [0, 0, 0]


def test_box_iou():
    a = [[0, 0, 10, 10], [0, 0, 0, 0]]
    b = [[5, 0, 15, 10], [0, 0, 10, 10], [10, 10, 20, 20], [0, 0, 0, 0]]
    np.testing.assert_allclose(detection.box_iou(a, b), [[1 / 3, 1, 0, 0], [0, 0, 0, 0]])
    assert detection.box_iou(np.zeros((0, 4)), b).shape == (0, 4)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"true_boxes": [[]], "true_labels": [[]]}, "true_boxes hold no box"),
        ({"boxes": [[[0, 0, np.nan, 5]]]}, "boxes holds 1 NaN"),
        ({"scores": [[np.nan]]}, "scores holds 1 NaN"),
        ({"scores": [[0.5, 0.4]]}, "image 0 has 1 boxes and 2 scores"),
        ({"labels": [[]]}, "image 0 has 1 boxes and 0 labels"),
        ({"labels": [[7]]}, "labels holds class 7"),
        ({"boxes": [[[9, 0, 5, 5]]]}, "boxes hold x1 < x0"),
        ({"boxes": [[0, 0, 5, 5]]}, "boxes of image 0 have shape"),
        ({"scores": [[0.5], [0.5]]}, "lengths differ"),
        ({"thresholds": [1.5]}, "thresholds is 1.5"),
    ],
)
def test_refusals_name_argument_and_remedy(change, words):
    call = {
        "boxes": [[[0, 0, 5, 5]]],
        "scores": [[0.5]],
        "labels": [[0]],
        "true_boxes": [[[0, 0, 5, 5]]],
        "true_labels": [[0]],
        "classes": 2,
    }
    with pytest.raises(ValueError, match=words):
        detection.mean_average_precision(**(call | change))
