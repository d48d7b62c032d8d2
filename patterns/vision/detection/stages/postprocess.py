"""Post-processing: from a score at every cell to a short list of boxes.

The network scores hundreds of cells, and several neighbours see the same object. First, what scores
below `confidence` is dropped; then, class by class, the best box is kept and every other box that
overlaps it by more than `overlap` (IoU) is taken to be the same object and dropped, and so on:
greedy non-maximum suppression. `most` boxes of the highest score are kept in the end.

    keep b  <=>  no kept box a of b's class with score(a) > score(b) has IoU(a, b) > overlap

Overlaps are computed at once, the loop is over ranks. `torchvision.ops.batched_nms` gives the same
boxes (a test holds it to that) in compiled code.

Shapes: n boxes in, k boxes kept, A cells, C classes, m true boxes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from common.evaluation.detection import DetectionScore, box_iou, mean_average_precision


@dataclass(frozen=True)
class Detections:
    """The objects found in one image, best first."""

    boxes: np.ndarray  # (k, 4) float32 x0, y0, x1, y1 in pixels of the image
    scores: np.ndarray  # (k,) float32 in [0, 1]
    labels: np.ndarray  # (k,) int64

    def above(self, confidence: float | np.ndarray) -> Detections:
        """Return those with at least this score; an array gives one threshold per class."""
        limit = np.asarray(confidence)
        keep = self.scores >= (limit if limit.ndim == 0 else limit[self.labels])
        return Detections(self.boxes[keep], self.scores[keep], self.labels[keep])


def suppress(
    boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray, *, overlap: float
) -> np.ndarray:
    """Return the row numbers kept by non-maximum suppression within each class, best first.

    Of equal scores the earlier row goes first.
    """
    order = np.argsort(-scores, kind="stable")  # (n,)
    duplicate = box_iou(boxes[order], boxes[order]) > overlap  # (n, n)
    duplicate &= labels[order][:, None] == labels[order][None, :]
    alive = np.ones(len(order), dtype=bool)
    for rank in range(len(order)):
        if alive[rank]:
            alive[rank + 1 :] &= ~duplicate[rank, rank + 1 :]
    return order[alive]


def postprocess(
    boxes: np.ndarray,
    scores: np.ndarray,
    *,
    confidence: float = 0.25,
    overlap: float = 0.6,
    most: int = 100,
    considered: int = 500,
) -> Detections:
    """Turn boxes (A, 4) with class scores (A, C) into the detections of one image.

    `considered` bounds the work of an image on which everything scores high.
    """
    cells, labels = np.nonzero(scores >= confidence)
    values = scores[cells, labels]
    if len(values) > considered:
        best = np.argsort(-values, kind="stable")[:considered]
        cells, labels, values = cells[best], labels[best], values[best]
    kept = suppress(boxes[cells], values, labels, overlap=overlap)[:most]
    return Detections(
        boxes[cells[kept]].astype(np.float32),
        values[kept].astype(np.float32),
        labels[kept].astype(np.int64),
    )


def without_ignored(
    found: Detections,
    boxes: np.ndarray,
    labels: np.ndarray,
    ignored_boxes: np.ndarray,
    ignored_labels: np.ndarray,
) -> Detections:
    """Drop detections that claim no true box, but lie by half or more in an ignored one.

    `ignored_boxes` (m, 4) are difficult objects and crowds; a detection is compared to those of its
    own class by the share of its area, as COCO does for crowds.
    """
    if not len(ignored_labels) or not len(found.labels):
        return found
    corners = np.concatenate(
        [
            np.maximum(found.boxes[:, None, :2], ignored_boxes[None, :, :2]),
            np.minimum(found.boxes[:, None, 2:], ignored_boxes[None, :, 2:]),
        ],
        axis=2,
    )  # (k, m, 4)
    shared = np.maximum(corners[..., 2:] - corners[..., :2], 0).prod(axis=2)  # (k, m)
    area = (found.boxes[:, 2:] - found.boxes[:, :2]).prod(axis=1)  # (k,)
    inside = (shared >= 0.5 * area[:, None]) & (found.labels[:, None] == ignored_labels[None])
    keep = (match(found, boxes, labels) >= 0) | ~inside.any(axis=1)
    return Detections(found.boxes[keep], found.scores[keep], found.labels[keep])


def match(
    found: Detections, boxes: np.ndarray, labels: np.ndarray, *, least: float = 0.5
) -> np.ndarray:
    """Return the row of the true box that each detection claims (k,), -1 for a false alarm.

    Detections claim in order of score, each the free box of its class that it overlaps most, if by
    at least `least`.
    """
    claimed = np.full(len(found.scores), -1)
    overlaps = box_iou(found.boxes.reshape(-1, 4), boxes.reshape(-1, 4))  # (k, m)
    overlaps[found.labels[:, None] != labels[None, :]] = -1.0
    if not len(labels):
        return claimed
    for rank in range(len(claimed)):
        best = int(overlaps[rank].argmax())
        if overlaps[rank, best] >= least:
            claimed[rank] = best
            overlaps[:, best] = -1.0
    return claimed


def average_precision(
    found: Sequence[Detections],
    boxes: Sequence[np.ndarray],
    labels: Sequence[np.ndarray],
    classes: int,
) -> DetectionScore:
    """Return COCO's score of the detections of images with their true boxes and labels."""
    return mean_average_precision(
        [each.boxes for each in found],
        [each.scores for each in found],
        [each.labels for each in found],
        boxes,
        labels,
        classes=classes,
    )
