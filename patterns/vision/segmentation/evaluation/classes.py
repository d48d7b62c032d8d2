"""How well the classes of pixels are told: mean IoU, each class, and what is taken for what.

    IoU of class c = TP / (TP + FP + FN) over the pixels of all test images      mIoU = mean over c

Unlabelled pixels count nowhere. Intervals resample whole images and pool again; neighbouring frames
of a film are not independent, so they are somewhat too narrow there.

Shapes: N images, C classes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from common.evaluation.bootstrap import interval_of
from common.evaluation.report import Estimate, Row, Table, Value
from common.evaluation.segmentation import confusion_iou, pixel_confusion
from common.images import UNLABELLED
from patterns.vision.segmentation.data import Splits
from patterns.vision.segmentation.entities.images import MaskedImages
from patterns.vision.segmentation.pipeline import Pipeline
from patterns.vision.segmentation.stages.classes import ClassMaps
from patterns.vision.segmentation.stages.training import Segmenter

COLUMNS = ("mIoU", "pixel accuracy", "mean recall", "mIoU above baseline", "weights")
WORST = 8  # mistakes listed
SHOWN = 6  # test images whose maps are kept for drawing


@dataclass(frozen=True)
class Found:
    """What one method said of the test images."""

    confusion: np.ndarray
    """int64 (C, C) of all pixels: rows the true class, columns the predicted one."""
    counts: np.ndarray
    """int64 (N, 3, C) of each image: pixels that are right, predicted and true."""
    maps: dict[int, np.ndarray]
    """uint8 (H, W) class numbers of some images, by row."""

    @classmethod
    def of(cls, confusions: list[np.ndarray], maps: dict[int, np.ndarray]) -> Found:
        """Count what the confusions (C, C) of the images say."""
        counts = [np.stack([np.diag(c), c.sum(axis=0), c.sum(axis=1)]) for c in confusions]
        return cls(np.sum(confusions, axis=0), np.stack(counts), maps)


def compare(pipeline: Pipeline, test: MaskedImages) -> tuple[Found, Found, Found]:
    """Judge the baseline, the network's most probable class, and what is served."""
    stage, _ = pipeline.learned()
    post = pipeline.postprocess
    assert isinstance(post, ClassMaps)
    kept = set(np.linspace(0, len(test) - 1, SHOWN).round().astype(int).tolist())
    found: list[list[np.ndarray]] = [[], [], []]
    maps: list[dict[int, np.ndarray]] = [{}, {}, {}]
    for row, (image, mask) in enumerate(zip(test.images, test.masks, strict=True)):
        (simple,) = pipeline.baseline.predict([image])
        (ours,) = stage.predict([image])
        said = (
            post.classes(simple, mask.shape, balanced=False),
            post.classes(ours, mask.shape, balanced=False),
            post.classes(ours if pipeline.rejected_ is None else simple, mask.shape),
        )
        for place, each in enumerate(said):
            found[place].append(
                pixel_confusion([each], [mask], len(post.names), ignored=UNLABELLED)
            )
            if row in kept:
                maps[place][row] = each
    base, joined, final = (Found.of(*each) for each in zip(found, maps, strict=True))
    return base, joined, final


def headline(pipeline: Pipeline, splits: Splits, base: Found, joined: Found, final: Found) -> Table:
    """Return the table of the three, the baseline first."""
    stage, _ = pipeline.learned()
    weights = stage.parameters() if isinstance(stage, Segmenter) else 0
    seed, name, last = pipeline.seed, "unet" if weights else "place and colour, again", "+ balance"
    served = weights if pipeline.network else 0
    if pipeline.rejected_ is not None:
        last = "place and colour + balance"
    rows = (
        _row("place and colour", base, None, weights=0, seed=seed),
        _row(name, joined, base, weights=weights, seed=seed),
        _row(last, final, base, weights=served, seed=seed),
    )
    sizes = {mask.shape for mask in splits.test.masks}
    size = f" at {' x '.join(map(str, reversed(sizes.pop())))} pixels" if len(sizes) == 1 else ""
    void = np.mean([(mask == UNLABELLED).mean() for mask in splits.test.masks])
    caption = (
        f"{len(splits.test)} test images, scored{size}; {base.confusion.shape[0]} classes;"
        f" {void:.1%} of the pixels are unlabelled and left out. 95 % intervals over images, of the"
        f" difference paired. {pipeline.postprocess.chosen().capitalize()}, chosen on"
        f" {len(splits.valid)} validation images."
    )
    return Table("segmentation", COLUMNS, rows, caption)


def _row(name: str, found: Found, base: Found | None, *, weights: int, seed: int) -> Row:
    values: dict[str, Value] = {
        "mIoU": _estimate(mean_iou, found.counts, seed=seed),
        "pixel accuracy": _estimate(pixel_accuracy, found.counts, seed=seed),
        "mean recall": float(np.nanmean(recall(found.counts))),
        "mIoU above baseline": None if base is None else gain(found, base, seed=seed),
        "weights": float(weights) if weights else None,
    }
    return Row(name, values, baseline=base is None)


def by_class(names: Sequence[str], base: Found, final: Found) -> Table:
    """Return the IoU of each class, the most frequent first."""
    pixels = final.confusion.sum(axis=1)
    before, after = confusion_iou(base.confusion), confusion_iou(final.confusion)
    caught = recall(final.counts)
    rows = [
        Row(
            names[number],
            {
                "baseline IoU": _there(before[number]),
                "IoU": _there(after[number]),
                "recall": _there(caught[number]),
                "pixels": f"{pixels[number] / max(pixels.sum(), 1):.1%}",
                "images": float((final.counts[:, 2, number] > 0).sum()),
            },
        )
        for number in np.argsort(-pixels, kind="stable")
    ]
    columns = ("baseline IoU", "IoU", "recall", "pixels", "images")
    caption = "Classes by their share of the labelled test pixels; IoU over all test images."
    return Table("by class", columns, tuple(rows), caption)


def mistaken(names: Sequence[str], final: Found) -> Table:
    """Return the pairs of classes that are confused most, as a share of the true class."""
    true = final.confusion.sum(axis=1, keepdims=True)
    share = np.where(true > 0, final.confusion / np.maximum(true, 1), 0.0)  # (C, C)
    np.fill_diagonal(share, 0.0)
    worst = np.argsort(-share, axis=None, kind="stable")[:WORST]
    rows = [
        Row(f"{names[row]} as {names[column]}", {"of the true class": f"{share[row, column]:.1%}"})
        for row, column in (np.unravel_index(place, share.shape) for place in worst)
        if share[row, column] > 0
    ]
    caption = "What is taken for what: pixels of the first class that were called the second."
    return Table("mistaken", ("of the true class",), tuple(rows), caption)


def mean_iou(counts: np.ndarray) -> float:
    """Return the mean over classes of the IoU of pooled counts (N, 3, C)."""
    right, said, true = counts.sum(axis=0)
    union = said + true - right
    return float((right[union > 0] / union[union > 0]).mean()) if union.any() else 0.0


def pixel_accuracy(counts: np.ndarray) -> float:
    """Return the share of the labelled pixels that are right."""
    right, _, true = counts.sum(axis=(0, 2))
    return float(right / max(true, 1))


def recall(counts: np.ndarray) -> np.ndarray:
    """Return the share of each class's pixels that are right (C,), NaN where it has none."""
    right, _, true = counts.sum(axis=0)
    return np.where(true > 0, right / np.maximum(true, 1), np.nan)


def _estimate(
    function: Callable[[np.ndarray], float], counts: np.ndarray, *, seed: int
) -> Estimate:
    return Estimate(function(counts), *interval_of(function, counts, seed=seed))


def gain(found: Found, base: Found, *, seed: int) -> Estimate:
    """Return how much the mean IoU lies above the baseline's, on the same images."""

    def above(ours: np.ndarray, theirs: np.ndarray) -> float:
        return mean_iou(ours) - mean_iou(theirs)

    arrays = (found.counts, base.counts)
    return Estimate(above(*arrays), *interval_of(above, *arrays, seed=seed))


def _there(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
