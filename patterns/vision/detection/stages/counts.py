"""Counts: how many objects an image holds, which is not how many boxes are worth showing.

A threshold decides on each box alone, by whether it is more likely right than wrong. What it drops
and what it lets through does not cancel, image by image: where objects are crowded or blurred, many
scores lie just below it and none is counted. The sum of the scores counts each by how likely it is:

    n = c · x^β        x = Σ s^γ over the detections of the class, s their scores

γ says how much the many weak detections weigh; c what a full score is worth, since scores are no
probabilities and labels may be incomplete; and β < 1 draws unusual counts towards the usual one, as
much as the sum is unreliable. β = 0 is the same count for all images; no detection is always 0.
All three are those with the least mean absolute error on validation, for each class its own.

Shapes: I images, C classes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np

from common.atomic import write_json
from patterns.vision.detection.stages.postprocess import Detections

POWERS = np.linspace(0, 1, 11)  # β
SHARPNESSES = (0.5, 1.0, 2.0, 3.0)  # γ


class Counts:
    """The count of each class from the scores of its detections."""

    def __init__(self, *, classes: int) -> None:
        self.classes = classes
        self.scale_ = np.ones(classes)  # c
        self.power_ = np.ones(classes)  # β
        self.sharpness_ = np.ones(classes)  # γ

    def fit(self, found: Sequence[Detections], labels: Sequence[np.ndarray]) -> Self:
        """Choose by detections from a low score up and the labels of validation images.

        A class that is neither there nor found keeps the plain sum of its scores.
        """
        true = count_labels(labels, self.classes)  # (I, C)
        sums = {power: score_sums(found, np.full(self.classes, power)) for power in SHARPNESSES}
        for label in range(self.classes):
            if not true[:, label].any():
                continue
            options = [
                (*_best_scale(sums[sharpness][:, label] ** power, true[:, label]), power, sharpness)
                for sharpness in SHARPNESSES
                for power in POWERS
            ]
            _, *best = min(options, key=lambda option: option[0])
            self.scale_[label], self.power_[label], self.sharpness_[label] = best
        return self

    def predict(self, found: Sequence[Detections]) -> np.ndarray:
        """Return the count of each class in each image (I, C), whole numbers."""
        sums = score_sums(found, self.sharpness_)
        counts = np.where(sums > 0, self.scale_ * sums**self.power_, 0)
        return np.rint(counts).astype(np.int64)

    def save(self, folder: Path) -> None:
        """Write `counts.json`."""
        content = {
            "scale": self.scale_.tolist(),
            "power": self.power_.tolist(),
            "sharpness": self.sharpness_.tolist(),
        }
        write_json(folder / "counts.json", content)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        content = json.loads((folder / "counts.json").read_text(encoding="utf-8"))
        counts = cls(classes=len(content["scale"]))
        counts.scale_ = np.array(content["scale"])
        counts.power_ = np.array(content["power"])
        counts.sharpness_ = np.array(content["sharpness"])
        return counts


def count_labels(labels: Sequence[np.ndarray], classes: int) -> np.ndarray:
    """Count the objects of each class in each image: (I, C)."""
    counts = [np.bincount(each, minlength=classes) for each in labels]
    return np.array(counts, dtype=np.int64).reshape(len(labels), classes)


def score_sums(found: Sequence[Detections], sharpness: np.ndarray) -> np.ndarray:
    """Return the sum of score^sharpness (C,) of each class in each image: (I, C)."""
    sums = [
        np.bincount(each.labels, each.scores ** sharpness[each.labels], minlength=len(sharpness))
        for each in found
    ]
    return np.array(sums, dtype=float).reshape(len(found), len(sharpness))


def _best_scale(sums: np.ndarray, true: np.ndarray) -> tuple[float, float]:
    """Return the least mean |true − c · sums| and its c: the weighted median of true / sums."""
    known = sums > 0
    if not known.any():
        return float(np.mean(true)), 1.0
    ratios, weights = true[known] / sums[known], sums[known]
    order = np.argsort(ratios)
    reached = np.cumsum(weights[order])
    scale = ratios[order][np.searchsorted(reached, reached[-1] / 2)]
    return float(np.abs(true - scale * sums).mean()), float(scale)
