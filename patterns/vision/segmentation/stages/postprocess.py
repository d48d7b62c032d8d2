"""From probabilities to separate objects: threshold, split what touches, drop what is tiny.

A mask alone merges neighbours that touch, and then every count is too low. Roundish objects are
told apart by their centres, which lie farthest from the background:

    d = distance of each object pixel to the background, smoothed by a Gaussian
    seeds = local maxima of d;  watershed of −d from the seeds, inside the mask

(Beucher & Lantuéjoul 1979), flooded level by level on whole arrays instead of pixel by pixel from
a queue. Smoothing sets how easily an object is split: too little and every bump is a nucleus.
Threshold, smoothing and smallest area are chosen on the validation images, the threshold by IoU,
the others by how many objects are found at an IoU of one half.

Shapes: H x W pixels.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import product
from pathlib import Path
from typing import Self

import numpy as np
from scipy import ndimage

from common.atomic import write_json
from common.evaluation.segmentation import instance_precision, iou
from patterns.vision.segmentation.entities.answers import Answer

THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7)
SMOOTHINGS = (0.0, 1.0, 1.5, 2.0, 3.0)
AREAS = (5, 15, 30)
LEVEL = 0.5  # of the distance in pixels that is flooded at once
EVERYWHERE = np.ones((3, 3), bool)  # diagonal neighbours touch


class Postprocess:
    """Turns probabilities into label maps; the three numbers are defaults until it is fitted."""

    def __init__(
        self,
        *,
        threshold: float = 0.5,
        smoothing: float = 1.5,
        smallest: int = 15,
        score: float = 0.0,
    ) -> None:
        self.threshold_ = threshold
        self.smoothing_ = smoothing  # deviation of the Gaussian in pixels; 0 splits nothing
        self.smallest_ = smallest  # objects of fewer pixels are dropped
        self.score_ = score  # mean IoU of the validation images

    def fit(self, probabilities: Iterable[np.ndarray], masks: Sequence[np.ndarray]) -> Self:
        """Choose the three numbers on validation images: float maps and label maps (H, W)."""
        probabilities = list(probabilities)
        truth = [labels > 0 for labels in masks]
        by_threshold = {
            threshold: iou([map_ > threshold for map_ in probabilities], truth).mean()
            for threshold in THRESHOLDS
        }
        self.threshold_ = max(by_threshold, key=lambda level: by_threshold[level])
        self.score_ = float(by_threshold[self.threshold_])
        said = [self.mask(map_) for map_ in probabilities]
        found = {}
        for smoothing, smallest in product(SMOOTHINGS, AREAS):
            self.smoothing_, self.smallest_ = smoothing, smallest
            labels = [self.separate(mask) for mask in said]
            found[smoothing, smallest] = instance_precision(labels, masks).mean()
        self.smoothing_, self.smallest_ = max(found, key=lambda pair: found[pair])
        return self

    def mask(self, probability: np.ndarray) -> np.ndarray:
        """Return the boolean foreground (H, W)."""
        return probability > self.threshold_

    def instances(self, probability: np.ndarray) -> np.ndarray:
        """Return the label map uint16 (H, W), objects numbered 1..n without gaps."""
        return self.separate(self.mask(probability))

    def separate(self, mask: np.ndarray, *, split: bool = True) -> np.ndarray:
        """Number the objects of a boolean mask (H, W), those that touch apart if `split`."""
        if split and self.smoothing_:
            labels = split_touching(mask, smoothing=self.smoothing_)
        else:
            labels, _ = ndimage.label(mask, structure=EVERYWHERE)
        return drop_small(labels, smallest=self.smallest_)

    def answer(self, probability: np.ndarray, size: tuple[int, ...]) -> Answer:
        """Return the separate objects of an image (H, W), and how many there are."""
        assert probability.shape == tuple(size), "objects are found at full size"
        labels = self.instances(probability)
        return Answer(labels, int(labels.max(initial=0)), float((labels > 0).mean()))

    def chosen(self) -> str:
        """Say what the fit chose."""
        return f"threshold {self.threshold_}, smoothing {self.smoothing_}"

    def save(self, folder: Path) -> None:
        """Write `postprocess.json`."""
        content = {
            "threshold": self.threshold_,
            "smoothing": self.smoothing_,
            "smallest": self.smallest_,
            "score": self.score_,
        }
        write_json(folder / "postprocess.json", content)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        return cls(**json.loads((folder / "postprocess.json").read_text(encoding="utf-8")))


def split_touching(mask: np.ndarray, *, smoothing: float) -> np.ndarray:
    """Label a boolean mask (H, W), cutting connected objects between their centres."""
    padded = np.pad(mask, 1)  # beyond the image is background, so a cut nucleus has a centre too
    distance = ndimage.distance_transform_edt(padded)[1:-1, 1:-1]
    height = ndimage.gaussian_filter(distance, smoothing)
    side = 2 * max(1, round(2 * smoothing)) + 1
    peaks = mask & (height == ndimage.maximum_filter(height, size=side))
    seeds, _ = ndimage.label(peaks, structure=EVERYWHERE)
    labels, count = ndimage.label(mask, structure=EVERYWHERE)
    for number, window in enumerate(ndimage.find_objects(labels), start=1):
        inside = labels[window] == number
        own = np.where(inside, seeds[window], 0)
        if len(np.unique(own)) > 2:  # 0 and more than one centre
            parts = flood(height[window], own, inside)
            labels[window][inside] = count + parts[inside]
    return labels


def flood(height: np.ndarray, seeds: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Grow seeds (H, W) downhill, one level of `height` after the other, over a connected mask."""
    labels = seeds.copy()
    for level in [*np.arange(float(height.max()), 0, -LEVEL), 0.0]:
        open_ = mask & (height >= level)
        while True:
            reached = open_ & (labels == 0)
            grown = ndimage.maximum_filter(labels, size=3) if reached.any() else labels
            reached &= grown > 0
            if not reached.any():
                break
            labels[reached] = grown[reached]
    return labels


def drop_small(labels: np.ndarray, *, smallest: int) -> np.ndarray:
    """Remove objects of fewer than `smallest` pixels and number the rest 1..n, as uint16."""
    area = np.bincount(labels.ravel())
    kept = area >= smallest
    kept[0] = False
    number = np.where(kept, np.cumsum(kept), 0)
    assert number.max(initial=0) < 2**16, "more objects than a label map can number"
    return number[labels].astype(np.uint16)
