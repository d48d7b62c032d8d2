"""Overlap of predicted and true masks: Dice and intersection over union.

    IoU = |P ∩ T| / |P ∪ T|        Dice = 2 |P ∩ T| / (|P| + |T|) = 2 IoU / (1 + IoU)

The plain functions compare foreground masks image by image (B,), each image counting alike;
`pooled_iou` adds the pixels of all images first, so large objects and large images count more, and
a blank image does no harm. Both are in use and differ by several points: say which. For label maps
of C classes the pixels are pooled, as in PASCAL VOC's mean IoU. `instance_precision` compares
objects instead of pixels.

Masks are a sequence of (H, W) arrays, of one size or several, boolean or 0/1; label maps hold class
numbers. Two empty masks agree: 1. Source: Dice, Ecology 26, 1945; Everingham et al., IJCV 88, 2010;
for instances, Caicedo et al., Nature Methods 16, 2019 (2018 Data Science Bowl).

Shapes: B images, H × W pixels, C classes, T thresholds.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from common.evaluation.checks import (
    Booleans,
    Floats,
    Integers,
    not_empty,
    same_length,
    share,
    whole,
)

Masks = Sequence[ArrayLike] | NDArray[Any]


def dice(predicted: Masks, truth: Masks) -> Floats:
    """Dice coefficient of each image (B,)."""
    shared, said, true = _foreground(predicted, truth)
    total = said + true
    return np.where(total > 0, 2 * shared / np.maximum(total, 1), 1.0)


def iou(predicted: Masks, truth: Masks) -> Floats:
    """Intersection over union of each image (B,)."""
    return _iou(*_foreground(predicted, truth))


def pooled_iou(predicted: Masks, truth: Masks) -> float:
    """Intersection over union of the pixels of all images together."""
    return float(_iou(*(part.sum(keepdims=True) for part in _foreground(predicted, truth)))[0])


def iou_per_class(
    predicted: Masks, truth: Masks, classes: int, *, ignored: int | None = None
) -> Floats:
    """Pooled IoU of each class of label maps (C,), NaN for a class in neither."""
    return confusion_iou(pixel_confusion(predicted, truth, classes, ignored=ignored))


def mean_iou(predicted: Masks, truth: Masks, classes: int, *, ignored: int | None = None) -> float:
    """Mean of the pooled IoU over the classes that occur (background is a class)."""
    return float(np.nanmean(iou_per_class(predicted, truth, classes, ignored=ignored)))


def confusion_iou(confusion: Integers) -> Floats:
    """IoU of each class (C,) from a pixel confusion (C, C), NaN for a class in neither."""
    shared = np.diag(confusion)
    return _iou(shared, confusion.sum(axis=0), confusion.sum(axis=1), empty=np.nan)


def pixel_confusion(
    predicted: Masks, truth: Masks, classes: int, *, ignored: int | None = None
) -> Integers:
    """Pixels (C, C) of all images: rows the true class, columns the predicted one.

    Pixels whose true value is `ignored` ("void", unlabelled) count nowhere.
    """
    counts = np.zeros(whole("classes", classes) ** 2, dtype=np.int64)
    for image, said, true in _images(predicted, truth):
        if ignored is not None:
            known = true != ignored
            said, true = said[known], true[known]
        for name, labels in (("predicted", said), ("truth", true)):
            if labels.dtype.kind not in "iub":
                raise ValueError(f"{name} of image {image} is {labels.dtype}: pass class numbers")
            if labels.size and (labels.min() < 0 or labels.max() >= classes):
                raise ValueError(
                    f"{name} of image {image} holds classes {labels.min()} … {labels.max()}, "
                    f"but classes is {classes}"
                )
        key = true.astype(np.int64) * classes + said
        counts += np.bincount(key.ravel(), minlength=classes**2)
    return counts.reshape(classes, classes)


def instance_precision(
    predicted: Masks, truth: Masks, *, thresholds: Sequence[float] = (0.5,)
) -> Floats:
    """TP / (TP + FP + FN) of the objects of each image at each IoU threshold (B, T).

    Masks hold instance numbers, 0 the background. An object counts as found if one of the other
    side overlaps it by more than the threshold; thresholds of at least 0.5 make that pair unique.
    The mean over .50, .55 … .95 is the score of the 2018 Data Science Bowl. No object on either
    side: 1.
    """
    limits = np.array([share("thresholds", limit) for limit in thresholds])
    if limits.min() < 0.5:
        raise ValueError(f"thresholds hold {limits.min():g}: below 0.5 objects match twice")
    rows = []
    for _, said, true in _images(predicted, truth):
        overlap = _instance_iou(said, true)  # (P, Q)
        hits = (overlap[:, :, None] > limits).sum(axis=(0, 1))
        objects = sum(overlap.shape) - hits  # TP + FP + FN
        rows.append(np.where(objects > 0, hits / np.maximum(objects, 1), 1.0))
    return np.array(rows).reshape(-1, len(limits))


def _instance_iou(said: NDArray[Any], true: NDArray[Any]) -> Floats:
    """IoU of every predicted with every true object (P, Q), background left out."""
    said_ids, said = _numbered("predicted", said)
    true_ids, true = _numbered("truth", true)
    shape = (len(said_ids), len(true_ids))
    shared = np.bincount(said * shape[1] + true, minlength=shape[0] * shape[1])
    shared = shared.reshape(shape)
    union = shared.sum(axis=1)[:, None] + shared.sum(axis=0)[None, :] - shared
    return (shared / np.maximum(union, 1))[np.ix_(said_ids != 0, true_ids != 0)]


def _numbered(name: str, mask: NDArray[Any]) -> tuple[Integers, Integers]:
    """Instance numbers that occur (P,) and each pixel's place among them, without sorting."""
    if mask.dtype.kind not in "iub" or (mask.size and mask.min() < 0):
        raise ValueError(
            f"{name} ({mask.dtype}) is not an instance map: pass whole numbers from 0 up"
        )
    pixels = mask.ravel().astype(np.int64)
    present = np.bincount(pixels) > 0
    return np.flatnonzero(present), (np.cumsum(present) - 1)[pixels]


def _foreground(predicted: Masks, truth: Masks) -> tuple[Integers, Integers, Integers]:
    """Pixels in both, in the prediction and in the truth, of each image (B,)."""
    counts = np.array(
        [
            (np.count_nonzero(said & true), np.count_nonzero(said), np.count_nonzero(true))
            for said, true in (
                (_boolean("predicted", image, said), _boolean("truth", image, true))
                for image, said, true in _images(predicted, truth)
            )
        ],
        dtype=np.int64,
    )
    return counts[:, 0], counts[:, 1], counts[:, 2]


def _images(predicted: Masks, truth: Masks) -> list[tuple[int, NDArray[Any], NDArray[Any]]]:
    same_length(predicted=predicted, truth=truth)
    not_empty("predicted", predicted)
    images = []
    for image, (said, true) in enumerate(zip(predicted, truth, strict=True)):
        said, true = np.asarray(said), np.asarray(true)
        if said.shape != true.shape:
            raise ValueError(
                f"image {image}: predicted is {said.shape}, truth {true.shape}: "
                "resize the prediction to the image"
            )
        images.append((image, said, true))
    return images


def _boolean(name: str, image: int, mask: NDArray[Any]) -> Booleans:
    if mask.dtype == np.bool_:
        return mask
    foreground = mask == 1
    if not np.all(foreground | (mask == 0)):
        raise ValueError(
            f"{name} of image {image} holds values other than 0 and 1: pass a boolean mask "
            "(probabilities > threshold, instance numbers > 0)"
        )
    return foreground


def _iou(shared: Integers, said: Integers, true: Integers, empty: float = 1.0) -> Floats:
    union = said + true - shared
    return np.where(union > 0, shared / np.maximum(union, 1), empty)
