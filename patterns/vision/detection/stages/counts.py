"""Counts: how many objects an image holds, which need not be how many boxes are worth showing.

A threshold decides on each box alone, and image by image its errors add up instead of cancelling:
where objects are crowded or blurred, all scores are low; and where labels are incomplete, how many
are missing depends on the image. So a class may be counted by a median regression, which minimises
the mean absolute error,

    n = a + b · [#(s ≥ .15), #(s ≥ .3), #(s ≥ .5), sharpness, background's red, green, blue]

with s the scores of its detections. It is fitted on the validation images, and serves where it has
a smaller error than the number of boxes shown on folds of them that it was not fitted on. A small
penalty on b draws the count towards the median where validation is too small to tell.

Source: Koenker and Bassett, Regression quantiles, 1978.

Shapes: I images, C classes, F features.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np

from common.atomic import write_json
from patterns.vision.detection.stages.postprocess import Detections

LEVELS = (0.15, 0.3, 0.5)
FEATURES = len(LEVELS) + 4
FOLDS, FEWEST_IMAGES = 8, 40
MOST_IMAGES = 500  # that the regression is fitted on, evenly spaced
BACKGROUND = 0.9  # quantile of a channel: slides are brighter than what lies on them


class Counts:
    """The count of each class: the number of its boxes, or a regression on scores and image."""

    def __init__(self, *, classes: int, penalty: float = 0.05) -> None:
        self.classes, self.penalty = classes, penalty
        self.regressed_ = np.zeros(classes, bool)  # the others are counted by their boxes
        self.slopes_ = np.zeros((classes, FEATURES))
        self.intercepts_ = np.zeros(classes)

    def fit(
        self,
        found: Sequence[Detections],
        kept: Sequence[Detections],
        labels: Sequence[np.ndarray],
        images: Sequence[np.ndarray],
    ) -> Self:
        """Choose by validation images, their detections from .15 or less up and those shown.

        Fewer than `FEWEST_IMAGES` images leave every class to its boxes.
        """
        count = len(images)
        if count < FEWEST_IMAGES:
            return self
        rows = np.linspace(0, count - 1, min(count, MOST_IMAGES)).round().astype(int)
        true = count_labels([labels[row] for row in rows], self.classes)
        boxes = count_labels([kept[row].labels for row in rows], self.classes)  # (I, C)
        features = self._features([found[row] for row in rows], [images[row] for row in rows])
        for label in range(self.classes):
            x, y = features[:, label], true[:, label]
            error = np.abs(self._on_folds(x, y) - y).mean()
            self.regressed_[label] = error < np.abs(boxes[:, label] - y).mean()
            self.slopes_[label], self.intercepts_[label] = self._regress(x, y)
        return self

    def predict(
        self,
        found: Sequence[Detections],
        kept: Sequence[Detections],
        images: Sequence[np.ndarray],
    ) -> np.ndarray:
        """Return the count of each class in each image (I, C); 0 where no score reaches .15."""
        boxes = count_labels([each.labels for each in kept], self.classes)
        if not self.regressed_.any():
            return boxes
        features = self._features(found, images)
        counts = _whole((features * self.slopes_).sum(axis=2) + self.intercepts_)
        counts[features[:, :, 0] == 0] = 0
        return np.where(self.regressed_, counts, boxes)

    def save(self, folder: Path) -> None:
        """Write `counts.json`."""
        content = {
            "regressed": self.regressed_.tolist(),
            "slopes": self.slopes_.tolist(),
            "intercepts": self.intercepts_.tolist(),
        }
        write_json(folder / "counts.json", content)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        content = json.loads((folder / "counts.json").read_text(encoding="utf-8"))
        counts = cls(classes=len(content["regressed"]))
        counts.regressed_ = np.array(content["regressed"])
        counts.slopes_, counts.intercepts_ = (
            np.array(content[name]) for name in ("slopes", "intercepts")
        )
        return counts

    def _features(self, found: Sequence[Detections], images: Sequence[np.ndarray]) -> np.ndarray:
        """Return what the regression sees (I, C, F)."""
        features = np.empty((len(found), self.classes, FEATURES))
        for row, each in enumerate(found):
            for label in range(self.classes):
                scores = each.scores[each.labels == label]
                features[row, label, : len(LEVELS)] = [(scores >= level).sum() for level in LEVELS]
            features[row, :, len(LEVELS) :] = look(images[row])
        return features

    def _regress(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, float]:
        """Return slopes (F,) and intercept of the median of y (I,) given x (I, F)."""
        from sklearn.linear_model import QuantileRegressor

        centre, spread = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-9)
        model = QuantileRegressor(alpha=self.penalty).fit((x - centre) / spread, y)
        slopes = model.coef_ / spread
        return slopes, float(model.intercept_ - slopes @ centre)

    def _on_folds(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return the count of each image (I,) by a regression on the other folds."""
        counts = np.empty(len(y))
        fold = np.arange(len(y)) % FOLDS
        for number in range(FOLDS):
            slopes, intercept = self._regress(x[fold != number], y[fold != number])
            counts[fold == number] = _whole(x[fold == number] @ slopes + intercept)
        return counts


def count_labels(labels: Sequence[np.ndarray], classes: int) -> np.ndarray:
    """Count the objects of each class in each image: (I, C)."""
    counts = [np.bincount(each, minlength=classes) for each in labels]
    return np.array(counts, dtype=np.int64).reshape(len(labels), classes)


def look(image: np.ndarray) -> np.ndarray:
    """Return sharpness and the background's colour (4,) of an image uint8 (h, w, 3)."""
    pixels = image[::4, ::4].astype(np.float32)
    grey = pixels.mean(axis=2)
    steps = [np.abs(np.diff(grey, axis=axis)) for axis in (0, 1)]
    sharpness = sum(float(each.mean()) for each in steps if each.size)
    return np.array([sharpness, *np.quantile(pixels.reshape(-1, 3), BACKGROUND, axis=0)])


def _whole(counts: np.ndarray) -> np.ndarray:
    return np.rint(np.maximum(counts, 0)).astype(np.int64)
