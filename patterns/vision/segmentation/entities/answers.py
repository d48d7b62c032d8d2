"""What is found in an image: separate objects, or a class for each pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ClassShare:
    """How much of an image one class takes."""

    name: str
    value: int
    """The number of its pixels in the map."""
    share: float
    """Of the image's pixels."""


@dataclass(frozen=True)
class Answer:
    """The objects of one image, or its classes; the other task's fields are None."""

    mask: np.ndarray
    """uint16 (H, W): 0 background and 1..count the objects, or the value of each pixel's class."""
    count: int | None = None
    coverage: float | None = None
    """Share of the image's pixels that belong to an object."""
    classes: tuple[ClassShare, ...] | None = None
    """The classes that occur, the largest first."""
