"""Something real that the model answered, for people to look at: a page, a payment, some images.

An `Example` is a list of items. Each has a title, a line of text, some facts (what was said, what
is true), and pictures where there are any. The report shows items with pictures as cards and others
as lines of a table. Examples stand in `report.html` only: `metrics.json` is published with the
code, rows of a dataset are not.

Shapes: H x W pixels.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

MOST_PIXELS = 420  # of a side: larger images are shrunk
SMALL_PIXELS = 64  # up to here each pixel is kept and shown as a square


@dataclass(frozen=True)
class Picture:
    """An image with what it shows, as PNG or JPEG."""

    label: str
    content: bytes
    width: int
    height: int


@dataclass(frozen=True)
class Item:
    """One line or card: a film, a result, a reason, an image."""

    title: str
    text: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True)
class Example:
    """A name, how to read it, the items, and the colours that their pictures use."""

    name: str
    caption: str
    items: tuple[Item, ...]
    legend: tuple[tuple[str, str], ...] = ()
    """(CSS colour, what it stands for)."""


def picture(label: str, pixels: np.ndarray) -> Picture:
    """Encode uint8 pixels (H, W) or (H, W, 3); a large image is shrunk and becomes a JPEG."""
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(pixels))
    small = max(image.size) <= SMALL_PIXELS
    if max(image.size) > MOST_PIXELS:
        image.thumbnail((MOST_PIXELS, MOST_PIXELS), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, format="PNG") if small else image.save(buffer, format="JPEG", quality=85)
    return Picture(label, buffer.getvalue(), *image.size)


def middle(values: np.ndarray) -> int:
    """Return the row whose value (N,) is in the middle, so that nobody picks a good one."""
    return int(np.argsort(values, kind="stable")[len(values) // 2])


def evenly(count: int, most: int) -> list[int]:
    """Return up to `most` of `count` rows at even steps, the first and the last among them."""
    return np.unique(np.linspace(0, count - 1, min(most, count)).round().astype(int)).tolist()
