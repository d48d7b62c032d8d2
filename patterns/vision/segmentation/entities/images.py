"""Images with masks: what a segmenter is fitted on and judged by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class MaskedImages:
    """N images uint8 (H, W, 3), label maps uint16 (H, W), the slide and modality of each image."""

    images: list[np.ndarray]
    masks: list[np.ndarray]
    groups: np.ndarray
    """int64 (N,): images of one group are tiles of one slide."""
    kinds: list[str]
    """grey or stained."""

    def __len__(self) -> int:
        return len(self.images)
