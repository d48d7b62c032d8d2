"""Which images follow each other in a series, told by their names: a stem and a counter.

    seq05_000300, seq05_000330, …      frames of one film
    patient7_001, patient7_002, …      slices of one scan

Neighbours in a series look alike, so a model that has seen one knows the other. But a counter is
also how unrelated images are numbered; whether neighbours are alike, only their pixels can tell.

Shapes: N images.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

FEWEST = 3  # images of a series
THUMBNAIL = 16  # pixels a side
FEWEST_PAIRS = 8  # of neighbours, to tell that they are alike
ALIKE = 0.6  # of the distance of two images drawn at random


def series_of(names: Sequence[str]) -> list[np.ndarray]:
    """Return the row numbers of each series, in the order of the counter."""
    found: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for row, name in enumerate(names):
        parts = re.fullmatch(r"(.*?)(\d+)(\D*)", name)
        if parts is not None:
            found.setdefault((parts[1], parts[3]), []).append((int(parts[2]), row))
    return [
        np.array([row for _, row in sorted(rows)]) for rows in found.values() if len(rows) >= FEWEST
    ]


def are_neighbours_alike(
    small: np.ndarray,
    series: Sequence[np.ndarray],
    *,
    labels: np.ndarray | None = None,
) -> bool:
    """Tell whether images next to each other are far more alike than images drawn at random.

    `small` (N, 768) are their thumbnails. With `labels` (N,) those drawn are of one class, since
    images of one class are more alike than others.
    """
    if sum(len(rows) - 1 for rows in series) < FEWEST_PAIRS:
        return False
    before = np.concatenate([rows[:-1] for rows in series])
    after = np.concatenate([rows[1:] for rows in series])
    drawn = np.random.default_rng(0).integers(len(small), size=(2, 2000))
    drawn = drawn[:, drawn[0] != drawn[1]]
    if labels is not None:
        drawn = drawn[:, labels[drawn[0]] == labels[drawn[1]]]
    near, far = (
        float(np.median(np.abs(small[one] - small[other]).mean(axis=1)))
        for one, other in ((before, after), drawn)
    )
    return near < ALIKE * far


def series_groups(names: Sequence[str], series: Sequence[np.ndarray]) -> np.ndarray:
    """Return the group int64 (N,) of each image: a series, or the image alone."""
    groups = np.arange(len(names), dtype=np.int64)
    for rows in series:
        groups[rows] = rows.min()
    return groups


def thumbnail(image: np.ndarray) -> np.ndarray:
    """Return an image of any size, uint8, as float32 (768,) of 16 x 16 pixels; grey has 256."""
    from PIL import Image

    size = (THUMBNAIL, THUMBNAIL)
    small = Image.fromarray(image).resize(size, Image.Resampling.BOX)
    return np.asarray(small, np.float32).ravel()
