"""Mean average precision of detected boxes, as COCO defines it.

A detection is right if it overlaps a true box of its class by at least t, and each true box can be
claimed once: detections of an image claim in order of score, each the free box it overlaps most.
Over all images the claims in score order draw a precision-recall curve, made non-increasing; its
mean height at 101 recalls is the average precision, its mean over the classes the mAP at t, and the
mean over t = .50, .55 … .95 the headline figure.

    IoU(a, b) = |a ∩ b| / |a ∪ b|         AP = 1/101 Σ_{r ∈ 0, .01 … 1} max_{r' ≥ r} precision(r')

Boxes are x0, y0, x1, y1 in pixels, x1 and y1 exclusive. Equal to pycocotools (area "all", 100
detections for each image and class, no crowds). Matching runs over all images and thresholds at
once and loops over ranks only. Source: Lin et al., Microsoft COCO, ECCV 2014;
cocodataset.org/#detection-eval.

Shapes: I images, C classes, T thresholds, G pairs of image and class, D detections, M true boxes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from common.evaluation.checks import (
    Booleans,
    Floats,
    Integers,
    classes_of,
    numbers,
    same_length,
    share,
    whole,
)

COCO_THRESHOLDS: tuple[float, ...] = tuple(np.linspace(0.5, 0.95, 10).tolist())
RECALL_POINTS: Floats = np.linspace(0.0, 1.0, 101)
_CELLS = 1 << 21  # overlaps held at once: 16 MB


@dataclass(frozen=True)
class DetectionScore:
    """Average precision over classes and thresholds, with the curves behind it."""

    mean_average_precision: float
    """Mean over thresholds and the classes that have a true box: mAP@.5:.95 by default."""
    per_threshold: Floats
    """mAP at each threshold (T,); the first is mAP@.5 by default."""
    per_class: Floats
    """AP of each class over all thresholds (C,), NaN for a class without a true box."""
    average_precision: Floats
    """AP (T, C)."""
    precision: Floats
    """Interpolated precision at `RECALL_POINTS` (T, 101, C)."""
    recall: Floats
    """Share of true boxes found by all detections (T, C)."""
    true_boxes: Integers
    """Number of true boxes (C,)."""
    thresholds: tuple[float, ...]


class _Boxes(NamedTuple):
    """Boxes of all images end to end, sorted by `pair` = image · C + class and then by score."""

    boxes: Floats  # (n, 4)
    scores: Floats  # (n,)
    pair: Integers  # (n,)


def box_iou(a: ArrayLike, b: ArrayLike) -> Floats:
    """Overlap of each box of `a` (…, N, 4) with each of `b` (…, M, 4): (…, N, M) in [0, 1].

    Boxes x0, y0, x1, y1; two boxes without area overlap by 0.
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    left = np.maximum(a[..., :, None, 0], b[..., None, :, 0])
    right = np.minimum(a[..., :, None, 2], b[..., None, :, 2])
    top = np.maximum(a[..., :, None, 1], b[..., None, :, 1])
    bottom = np.minimum(a[..., :, None, 3], b[..., None, :, 3])
    shared = np.maximum(right - left, 0.0) * np.maximum(bottom - top, 0.0)
    area_a = (a[..., 2] - a[..., 0]) * (a[..., 3] - a[..., 1])
    area_b = (b[..., 2] - b[..., 0]) * (b[..., 3] - b[..., 1])
    union = area_a[..., :, None] + area_b[..., None, :] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def mean_average_precision(
    boxes: Sequence[ArrayLike],
    scores: Sequence[ArrayLike],
    labels: Sequence[ArrayLike],
    true_boxes: Sequence[ArrayLike],
    true_labels: Sequence[ArrayLike],
    *,
    classes: int | None = None,
    thresholds: Sequence[float] = COCO_THRESHOLDS,
    max_detections: int = 100,
) -> DetectionScore:
    """Score the detections of I images; each argument holds one array an image.

    `boxes` (n, 4), `scores` (n,), `labels` (n,) of detections, `true_boxes` (m, 4), `true_labels`
    (m,); an image may have none of either. Equal scores keep the order they come in. Classes
    without a true box are left out of the means; no true box at all raises. `classes` defaults to
    what the labels hold.
    """
    images = same_length(
        boxes=boxes, scores=scores, labels=labels, true_boxes=true_boxes, true_labels=true_labels
    )
    found, per_image = _flatten("boxes", boxes, 4)
    confidence, scored = _flatten("scores", scores)
    found_labels, labelled = _flatten("labels", labels)
    truth, true_per_image = _flatten("true_boxes", true_boxes, 4)
    wanted_labels, true_labelled = _flatten("true_labels", true_labels)
    _check_boxes("boxes", found, per_image, scores=scored, labels=labelled)
    _check_boxes("true_boxes", truth, true_per_image, true_labels=true_labelled)
    if not len(truth):
        raise ValueError("true_boxes hold no box: mAP is undefined; evaluate on labelled images")

    found_class = classes_of("labels", found_labels, classes=classes)
    true_class = classes_of("true_labels", wanted_labels, classes=classes)
    classes = classes or int(max(found_class.max(initial=-1), true_class.max())) + 1
    pair = np.repeat(np.arange(images), per_image) * classes + found_class
    true_pair = np.repeat(np.arange(images), true_per_image) * classes + true_class
    detected = _sorted_by_pair(found, confidence, pair, whole("max_detections", max_detections))
    wanted = _sorted_by_pair(truth, np.zeros(len(truth)), true_pair)

    limits = np.minimum([share("thresholds", limit) for limit in thresholds], 1.0 - 1e-10)
    matched = np.zeros((len(detected.pair), len(limits)), dtype=bool)  # (n, T)
    for rows, hits in _match_all(detected, wanted, limits):
        matched[rows] = hits
    totals = np.bincount(true_class, minlength=classes)
    return _accumulate(detected, matched, totals, limits)


def average_precision(matched: ArrayLike, total: int) -> Floats:
    """AP (T,) of claims in falling order of score: `matched` (n, T) says which were right.

    `total` true boxes, at least 1; a single column may be passed as (n,). Without a detection: 0.
    """
    claims = np.asarray(matched, dtype=bool)
    claims = claims[:, None] if claims.ndim == 1 else claims
    return _interpolated(claims, whole("total", total)).mean(axis=1)


def _interpolated(matched: Booleans, total: int) -> Floats:
    """Precision at the 101 recalls (T, 101)."""
    count, columns = matched.shape
    out = np.zeros((columns, len(RECALL_POINTS)))
    if not count:
        return out
    hits = np.cumsum(matched, axis=0)  # (n, T)
    recall = hits / total
    precision = hits / np.arange(1.0, count + 1.0)[:, None]
    ceiling = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
    for column in range(columns):
        place = np.searchsorted(recall[:, column], RECALL_POINTS, side="left")
        reached = place < count
        out[column, reached] = ceiling[place[reached], column]
    return out


def _accumulate(
    detected: _Boxes, matched: Booleans, totals: Integers, limits: Floats
) -> DetectionScore:
    """From claims to curves, class by class; `totals` (C,) counts the true boxes."""
    classes = len(totals)
    precision = np.full((len(limits), len(RECALL_POINTS), classes), np.nan)
    recall = np.full((len(limits), classes), np.nan)
    class_of_row = detected.pair % classes
    for label in np.flatnonzero(totals):
        rows = np.flatnonzero(class_of_row == label)
        rows = rows[np.argsort(-detected.scores[rows], kind="stable")]
        precision[:, :, label] = _interpolated(matched[rows], int(totals[label]))
        recall[:, label] = matched[rows].sum(axis=0) / totals[label]
    per_class = precision.mean(axis=1)  # (T, C)
    present = per_class[:, totals > 0]
    return DetectionScore(
        mean_average_precision=float(present.mean()),
        per_threshold=present.mean(axis=1),
        per_class=per_class.mean(axis=0),
        average_precision=per_class,
        precision=precision,
        recall=recall,
        true_boxes=totals,
        thresholds=tuple(limits.tolist()),
    )


def _match_all(
    detected: _Boxes, wanted: _Boxes, limits: Floats
) -> Iterator[tuple[Integers, Booleans]]:
    """Rows of detections with their claims (rows, T), in chunks of pairs of like size.

    Only pairs of image and class with both a detection and a true box are visited.
    """
    pairs = np.intersect1d(detected.pair, wanted.pair)
    first_d, size_d = _runs(detected.pair, pairs)
    first_m, size_m = _runs(wanted.pair, pairs)
    by_size = np.lexsort((size_d, size_m))  # like with like: little padding
    start = 0
    while start < len(pairs):
        widest = np.maximum.accumulate(size_d[by_size[start:]])
        cells = np.arange(1, len(widest) + 1) * widest * size_m[by_size[start:]]
        stop = start + max(1, int(np.searchsorted(cells, _CELLS)))
        chunk = by_size[start:stop]
        rows, shown = _padded(first_d[chunk], size_d[chunk])  # (G, D)
        columns, real = _padded(first_m[chunk], size_m[chunk])  # (G, M)
        overlap = box_iou(detected.boxes[rows], wanted.boxes[columns])  # (G, D, M)
        overlap[~shown] = -1.0
        claims = _claim(overlap, real, limits)
        yield rows[shown], claims[shown]
        start = stop


def _claim(overlap: Floats, real: Booleans, limits: Floats) -> Booleans:
    """Greedy matching of overlaps (G, D, M) in rank order: who claims a true box (G, D, T)."""
    groups, ranks, truths = overlap.shape
    free = np.broadcast_to(real[:, None, :], (groups, len(limits), truths)).copy()  # (G, T, M)
    claims = np.zeros((groups, ranks, len(limits)), dtype=bool)
    group, limit = np.ogrid[:groups, : len(limits)]
    for rank in range(ranks):
        open_to = np.where(free, overlap[:, rank, None, :], -1.0)  # (G, T, M)
        best = truths - 1 - open_to[:, :, ::-1].argmax(axis=2)  # of equals the last, as in COCO
        hit = open_to[group, limit, best] >= limits
        claims[:, rank] = hit
        free[group, limit, best] &= ~hit
    return claims


def _runs(ordered: Integers, pairs: Integers) -> tuple[Integers, Integers]:
    """First row and number of rows of each pair."""
    first = np.searchsorted(ordered, pairs, side="left")
    return first, np.searchsorted(ordered, pairs, side="right") - first


def _padded(first: Integers, size: Integers) -> tuple[Integers, Booleans]:
    """Row numbers (G, widest) of runs of unequal size, and which of them are not padding."""
    place = np.arange(size.max())
    real = place < size[:, None]
    return np.where(real, first[:, None] + place, first[:, None]), real


def _sorted_by_pair(
    boxes: Floats, scores: Floats, pair: Integers, limit: int | None = None
) -> _Boxes:
    """Sort by pair and falling score; keep the first `limit` of each pair."""
    order = np.lexsort((-scores, pair))  # stable
    ordered = pair[order]
    if limit is not None:
        keep = np.arange(len(ordered)) - np.searchsorted(ordered, ordered) < limit
        order, ordered = order[keep], ordered[keep]
    return _Boxes(boxes[order], scores[order], ordered)


def _flatten(name: str, parts: Sequence[ArrayLike], width: int = 0) -> tuple[Floats, Integers]:
    """Rows of all images end to end, (n,) or (n, width), and how many each image has (I,)."""
    tail = (width,) if width else ()
    arrays = [np.asarray(part, dtype=np.float64) for part in parts]
    arrays = [part if part.size else np.zeros((0, *tail)) for part in arrays]
    for image, part in enumerate(arrays):
        if part.ndim != 1 + len(tail) or part.shape[1:] != tail:
            raise ValueError(
                f"{name} of image {image} have shape {part.shape}: pass (n{', 4' if tail else ','})"
            )
    flat = np.concatenate([np.zeros((0, *tail)), *arrays])
    counts = np.array([len(part) for part in arrays], dtype=np.int64)
    return numbers(name, flat, dimensions=flat.ndim), counts


def _check_boxes(name: str, boxes: Floats, count: Integers, **others: Integers) -> None:
    """Corners in order, and as many labels and scores as boxes in every image."""
    if np.any(boxes[:, 2:] < boxes[:, :2]):
        raise ValueError(f"{name} hold x1 < x0 or y1 < y0: pass x0, y0, x1, y1, not sizes")
    for other, size in others.items():
        unequal = count != size
        if unequal.any():
            image = int(np.argmax(unequal))
            raise ValueError(
                f"image {image} has {count[image]} {name} and {size[image]} {other}: "
                "pass one for each box"
            )
