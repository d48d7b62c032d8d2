"""Images with one label each: what a classifier is fitted on and judged by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class LabelledImages:
    """N uint8 images and their labels (N,) int64, each an index into the names of the labels.

    As they were taken, images are (N, H, W) or (N, H, W, 3); preprocessed, (N, C, size, size).
    """

    images: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.images)
