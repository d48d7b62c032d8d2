"""Images with boxes: what a detector is fitted on and judged by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class BoxedImages:
    """N images uint8 (h, w, 3) with boxes (n, 4) float32 in pixels and labels (n,) int64."""

    images: list[np.ndarray]
    boxes: list[np.ndarray]
    labels: list[np.ndarray]

    def __len__(self) -> int:
        return len(self.images)

    @property
    def rows(self) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
        """The three lists, as stages take them."""
        return self.images, self.boxes, self.labels
