"""Baseline without a network: what is coloured is a cell, and its size and colour say which.

The oldest recipe of microscopy. Estimate the background's colour as the brightest mode, take as
foreground what differs from it by more than a threshold chosen by Otsu's rule (1979), open the mask
to cut thin bridges, and call every connected component an object. Its class is the nearest class
centre in (log size, red, green, blue), standardised on the training boxes; its score is how near.

It knows nothing of overlap: touching cells come out as one box, which is the reason for its low
figure and for learning a detector at all.

Shapes: h x w pixels, n boxes, C classes, F = 4 features of a box.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
from scipy import ndimage

from common.atomic import write_json
from patterns.vision.detection.stages.postprocess import Detections

LEAST_CONTRAST = 12.0  # distance in colour (0 – 441) below which an image holds only noise


class Blobs:
    """Threshold, components, nearest class centre."""

    def __init__(self, *, opening: int = 3, least_side: int = 8, most: int = 100) -> None:
        self.opening, self.least_side, self.most = opening, least_side, most
        self.centres_: np.ndarray = np.zeros((0, 4))  # (C, F)
        self.spreads_: np.ndarray = np.ones((0, 4))  # (C, F)

    def fit(
        self,
        images: Sequence[np.ndarray],
        boxes: Sequence[np.ndarray],
        labels: Sequence[np.ndarray],
    ) -> Self:
        """Learn the centre and the spread of each class from labelled boxes."""
        features = np.concatenate([_features(i, b) for i, b in zip(images, boxes, strict=True)])
        flat = np.concatenate(labels)
        classes = int(flat.max(initial=0)) + 1
        self.centres_, self.spreads_ = np.full((classes, 4), np.inf), np.ones((classes, 4))
        for label in np.unique(flat):
            rows = features[flat == label]
            self.centres_[label] = np.median(rows, axis=0)
            self.spreads_[label] = rows.std(axis=0) + 0.05
        return self

    def predict(self, images: Sequence[np.ndarray]) -> list[Detections]:
        """Return the detections of each image uint8 (h, w, 3)."""
        return [self._predict_one(image) for image in images]

    def _predict_one(self, image: np.ndarray) -> Detections:
        mask = ndimage.binary_opening(foreground(image), iterations=self.opening)
        mask = ndimage.binary_fill_holes(mask)
        numbered, _ = ndimage.label(mask)
        slices = ndimage.find_objects(numbered)
        boxes = np.array(
            [[x.start, y.start, x.stop, y.stop] for y, x in slices], dtype=np.float32
        ).reshape(-1, 4)
        large = (boxes[:, 2:] - boxes[:, :2] >= self.least_side).all(axis=1)
        boxes = boxes[large]
        away = (_features(image, boxes)[:, None] - self.centres_) / self.spreads_  # (n, C, F)
        distance = np.sqrt((away**2).mean(axis=2))  # (n, C)
        labels = distance.argmin(axis=1) if len(boxes) else np.zeros(0, dtype=np.int64)
        scores = np.exp(-distance.min(axis=1, initial=np.inf)).astype(np.float32)
        order = np.argsort(-scores, kind="stable")[: self.most]
        return Detections(boxes[order], scores[order], labels[order].astype(np.int64))

    def save(self, folder: Path) -> None:
        """Write `blobs.npz`, what was learned, and `blobs.json`."""
        np.savez(folder / "blobs.npz", centres=self.centres_, spreads=self.spreads_)
        settings = {"opening": self.opening, "least_side": self.least_side, "most": self.most}
        write_json(folder / "blobs.json", settings)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        blobs = cls(**json.loads((folder / "blobs.json").read_text(encoding="utf-8")))
        with np.load(folder / "blobs.npz", allow_pickle=False) as arrays:
            blobs.centres_, blobs.spreads_ = arrays["centres"], arrays["spreads"]
        return blobs


def foreground(image: np.ndarray) -> np.ndarray:
    """Find the pixels unlike the background (h, w) bool: Otsu on the distance in colour."""
    pixels = image.astype(np.float32)
    brightness = pixels.sum(axis=2)
    ground = pixels[brightness >= np.quantile(brightness, 0.8)].mean(axis=0)  # (3,)
    distance = np.linalg.norm(pixels - ground, axis=2)  # (h, w)
    return distance > max(otsu(distance), LEAST_CONTRAST)


def otsu(values: np.ndarray, *, bins: int = 128) -> float:
    """Return the threshold that maximises the variance between the two sides."""
    counts, edges = np.histogram(values, bins=bins)
    middle = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    sums = np.cumsum(counts * middle)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    return float(middle[np.nanargmax(np.nan_to_num(between))])


def _features(image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Return log size relative to the image, and mean colour of the middle of each box (n, F)."""
    rows = np.zeros((len(boxes), 4))
    for row, (x0, y0, x1, y1) in enumerate(boxes):
        dx, dy = (x1 - x0) / 4, (y1 - y0) / 4
        top, left = int(y0 + dy), int(x0 + dx)
        middle = image[top : max(top + 1, int(y1 - dy)), left : max(left + 1, int(x1 - dx))]
        rows[row, 0] = 0.5 * np.log((x1 - x0) * (y1 - y0) / (image.shape[0] * image.shape[1]))
        rows[row, 1:] = middle.reshape(-1, 3).mean(axis=0) / 64 if middle.size else 0.0
    return rows
