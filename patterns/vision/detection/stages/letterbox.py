"""Letterbox: any image to the network's input size, and boxes on the input back to the image.

A detector is trained at one size. Scaling both sides by the same factor keeps round cells round;
what is left over is filled with grey at the right and at the bottom, so that a box goes back by one
division. Shrinking averages over the pixels it swallows: picking one of them would alias.

    scale = min(H / height, W / width)        box on image = box on input / scale
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

GREY = 114


@dataclass(frozen=True)
class Letterbox:
    """A fixed input size; both sides are multiples of 32, the largest stride."""

    height: int
    width: int

    def __post_init__(self) -> None:
        """Check the sides."""
        for side in (self.height, self.width):
            if side < 32 or side % 32:
                raise ValueError(f"input side {side}: give a multiple of 32, at least 32")

    def scale(self, image: np.ndarray) -> float:
        """Return the input pixels per pixel of the image."""
        return min(self.height / image.shape[0], self.width / image.shape[1])

    def shrink(self, image: np.ndarray) -> np.ndarray:
        """Scale a uint8 image (h, w, 3) so that it fits, without the grey."""
        from PIL import Image

        scale = self.scale(image)
        height = max(1, min(self.height, round(image.shape[0] * scale)))
        width = max(1, min(self.width, round(image.shape[1] * scale)))
        if (height, width) == image.shape[:2]:
            return image
        small = Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR)
        return np.asarray(small)

    def batch(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Fit images of any size into (B, H, W, 3) uint8, grey where there is no image."""
        canvas = np.full((len(images), self.height, self.width, 3), GREY, dtype=np.uint8)
        for row, image in enumerate(images):
            small = self.shrink(image)
            canvas[row, : small.shape[0], : small.shape[1]] = small
        return canvas

    def restore(self, boxes: np.ndarray, image: np.ndarray) -> np.ndarray:
        """Bring boxes (n, 4) on the input back to pixels of the image, cut at its edges."""
        height, width = image.shape[:2]
        limit = np.array([width, height, width, height], dtype=np.float32)
        return np.clip(boxes / self.scale(image), 0, limit).astype(np.float32)
