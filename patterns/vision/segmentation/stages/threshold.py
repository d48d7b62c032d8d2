"""The baseline: Otsu's threshold, an algorithm of 1979 without anything to learn.

Of all thresholds t of the grey histogram it takes the one that separates two classes best, the
maximum of the variance between them,

    σ²(t) = (μ_T · ω(t) − μ(t))² / (ω(t) · (1 − ω(t)))

with ω(t) the share of pixels up to t and μ(t) their summed level (Otsu 1979, "A threshold selection
method from gray-level histograms"). Which side is the object it cannot know: nuclei shine in
fluorescence and are dark in stained tissue. The rule added here is that objects cover less area
than background. It does well on clean fluorescence and fails on tissue, which is the point.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np

LUMA = np.array((0.299, 0.587, 0.114), np.float32)


class OtsuThreshold:
    """Foreground by a threshold per image; nothing is learned, so nothing is saved."""

    name = "otsu"

    def fit(self, images: Sequence[np.ndarray], masks: Sequence[np.ndarray]) -> Self:
        """Learn nothing: each image has its own threshold."""
        return self

    def save(self, folder: Path) -> None:
        """Write nothing."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read nothing."""
        return cls()

    def predict(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return a boolean mask (H, W) for each uint8 image (H, W, 3)."""
        return [foreground(image) for image in images]


def foreground(image: np.ndarray) -> np.ndarray:
    """Split a uint8 image (H, W, 3) by Otsu's threshold and take the smaller side."""
    grey = np.rint(image.astype(np.float32) @ LUMA).astype(np.uint8)  # (H, W)
    mask = grey > otsu(grey)
    return ~mask if mask.mean() > 0.5 else mask


def otsu(grey: np.ndarray) -> int:
    """Return the level t of a uint8 image that best separates "<= t" from "> t"."""
    histogram = np.bincount(grey.ravel(), minlength=256) / grey.size
    share = np.cumsum(histogram)  # ω(t)
    summed = np.cumsum(histogram * np.arange(256))  # μ(t)
    spread = share * (1 - share)
    between = np.zeros(256)
    usable = spread > 1e-12
    between[usable] = (summed[-1] * share[usable] - summed[usable]) ** 2 / spread[usable]
    return int(between.argmax())
