"""Images with masks: what a segmenter is fitted on and judged by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class MaskedImages:
    """N images uint8 (H, W, 3), their masks, and what each image belongs to.

    A mask numbers the objects, uint16 (H, W), or holds the class of each pixel, uint8, an index or
    `UNLABELLED`; a map of classes may be finer than its image.
    """

    images: list[np.ndarray]
    masks: list[np.ndarray]
    groups: np.ndarray
    """int64 (N,): images of one group are not independent: tiles of a slide, frames of a film."""
    kinds: list[str]
    """The modality, such as grey or stained."""

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True)
class Classes:
    """The classes that a pixel can have, C of them."""

    names: tuple[str, ...]
    values: tuple[int, ...]
    """The number that stands for each in the files."""

    def __len__(self) -> int:
        return len(self.names)
