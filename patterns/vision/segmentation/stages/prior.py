"""The baseline for classes: where in the image a pixel lies and what colour it has.

Sky is above, road below, trees are green. Two tables of counts say so, joined as if place and
colour were independent given the class (naive Bayes):

    p(c | pixel) ∝ p(c | cell of a grid) · p(colour bin | c)

It knows no shape and no context, so cars and poles escape it: that is what a network has to add.

Shapes: C classes, H x W pixels, P cells of the grid, K bins of colour.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Self

import numpy as np
from safetensors.numpy import load_file, save_file

from common.images import UNLABELLED, nearest

GRID = 16  # cells across and down, whatever the image's size
BINS = 6  # of each colour channel


class PlaceAndColour:
    """Naive Bayes on the place and the colour of a pixel."""

    name = "place and colour"

    def __init__(self, *, classes: int) -> None:
        self.classes = classes
        self.place_ = np.full((GRID**2, classes), 1 / classes, np.float32)  # p(c | cell), (P, C)
        self.colour_ = np.full((BINS**3, classes), BINS**-3, np.float32)  # p(bin | c), (K, C)

    def fit(self, images: Sequence[np.ndarray], masks: Sequence[np.ndarray]) -> Self:
        """Count classes by cell and by colour, one added everywhere."""
        place = np.ones((GRID**2, self.classes))
        colour = np.ones((BINS**3, self.classes))
        for image, mask in zip(images, masks, strict=True):
            classes = nearest(mask, image.shape[:2]).ravel()
            known = classes != UNLABELLED
            for table, keys in ((place, cells(image)), (colour, bins(image))):
                pairs = keys.ravel()[known] * self.classes + classes[known]
                table += np.bincount(pairs, minlength=table.size).reshape(table.shape)
        self.place_ = (place / place.sum(axis=1, keepdims=True)).astype(np.float32)
        self.colour_ = (colour / colour.sum(axis=0, keepdims=True)).astype(np.float32)
        return self

    def predict(self, images: Iterable[np.ndarray]) -> list[np.ndarray]:
        """Return float32 probabilities (C, H, W) of each uint8 image (H, W, 3)."""
        found = []
        for image in images:
            joint = self.place_[cells(image)] * self.colour_[bins(image)]  # (H, W, C)
            shares = joint / joint.sum(axis=2, keepdims=True)
            found.append(np.ascontiguousarray(shares.transpose(2, 0, 1)))
        return found

    def save(self, folder: Path) -> None:
        """Write `prior.safetensors`."""
        save_file({"place": self.place_, "colour": self.colour_}, folder / "prior.safetensors")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        tables = load_file(folder / "prior.safetensors")
        prior = cls(classes=tables["place"].shape[1])
        prior.place_, prior.colour_ = tables["place"], tables["colour"]
        return prior


def cells(image: np.ndarray) -> np.ndarray:
    """Return the number of the grid's cell for each pixel, int64 (H, W)."""
    height, width = image.shape[:2]
    down = np.arange(height, dtype=np.int64) * GRID // height
    across = np.arange(width, dtype=np.int64) * GRID // width
    return down[:, None] * GRID + across[None]


def bins(image: np.ndarray) -> np.ndarray:
    """Return the number of the colour's bin for each pixel, int64 (H, W)."""
    levels = image.astype(np.int64) * BINS // 256  # (H, W, 3)
    return (levels[..., 0] * BINS + levels[..., 1]) * BINS + levels[..., 2]
