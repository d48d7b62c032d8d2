"""Images with boxes: what a detector is fitted on and judged by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np


class Rows(Sequence[np.ndarray]):
    """Some images of a sequence, in an order of their own, each taken from it when looked at."""

    def __init__(self, images: Sequence[np.ndarray], rows: np.ndarray) -> None:
        self.images, self.rows = images, np.asarray(rows, dtype=np.int64)

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> np.ndarray: ...

    @overload
    def __getitem__(self, index: slice) -> Rows: ...

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return Rows(self.images, self.rows[index])
        return self.images[int(self.rows[index])]


@dataclass(frozen=True)
class BoxedImages:
    """N images uint8 (h, w, 3) with boxes (n, 4) float32 in pixels and labels (n,) int64."""

    images: Sequence[np.ndarray]
    boxes: list[np.ndarray]
    labels: list[np.ndarray]
    ignored_boxes: Sequence[np.ndarray] = ()
    """(m, 4) each, neither learned nor judged; nothing at all where the dataset has none."""
    ignored_labels: Sequence[np.ndarray] = ()

    def __len__(self) -> int:
        return len(self.images)

    @property
    def rows(self) -> tuple[Sequence[np.ndarray], list[np.ndarray], list[np.ndarray]]:
        """Images, boxes and labels, as stages take them."""
        return self.images, self.boxes, self.labels
