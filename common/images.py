"""One way to decode an image, for training and serving alike: the pixels that a viewer shows.

What a file stores is not what is seen. A phone stores a photo lying on its side and says in EXIF
how to turn it; a logo is transparent where the page shows white; a scan has one bit, a microscope
sixteen, a printer's file four inks. A model trained on the stored pixels and served the seen ones
fails without an error, so both go through `decode`:

    orientation of EXIF applied · transparency on white · palette, 1 bit, CMYK -> RGB
    16 bits scaled to 8 (v / 257) · the first image of several

Pixels of 32 bits or floats have no agreed black and white; they are refused, not guessed.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")  # PPM is PGM and PBM too
SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
    | {".pgm", ".ppm", ".pbm", ".pnm", ".mpo"}
)
DEEPEST = 65_535  # the largest value of 16 bits
UNLABELLED = 255  # in a map of classes: no class is known, so nothing is learned or scored
ORIENTATION = 0x0112  # the tag of EXIF
_TURNS: dict[int, Callable[[np.ndarray], np.ndarray]] = {  # what brings (H, W, 3) upright
    1: lambda image: image,
    2: np.fliplr,
    3: lambda image: np.rot90(image, 2),
    4: np.flipud,
    5: lambda image: image.swapaxes(0, 1),
    6: lambda image: np.rot90(image, 3),
    7: lambda image: np.rot90(image, 2).swapaxes(0, 1),
    8: np.rot90,
}


class UnreadableImage(ValueError):
    """Bytes that are no whole image, or one whose brightness has no agreed scale."""


class TooLargeImage(UnreadableImage):
    """An image of more pixels than allowed."""


def decode(
    encoded: bytes, *, largest: int | None = None, shown_at: int | None = None
) -> np.ndarray:
    """Return what a viewer shows: uint8 (H, W, 3).

    Where the image will be `resized` to `shown_at` pixels, a large JPEG is decoded at 1/2, 1/4 or
    1/8 of its size, at twice `shown_at` or more, which takes a fraction of the time and memory.
    Raises `TooLargeImage` above `largest` pixels (four times as many in a file, if it is decoded
    smaller), `UnreadableImage` for the rest; a message says what is wrong without naming the file,
    which only the caller knows.
    """
    with _opened(encoded) as image:
        width, height = image.size
        if shown_at is not None and (largest is None or width * height <= 4 * largest):
            image.draft(image.mode, (2 * shown_at, 2 * shown_at))
        if largest is not None and image.width * image.height > largest:
            raise TooLargeImage(f"{width} x {height} pixels")
        pixels = _eight_bits(image)
        return upright(pixels, _orientation(image))  # only now: reading a TIFF turns it


def size_of(encoded: bytes) -> tuple[int, int]:
    """Return width and height, perhaps swapped by EXIF, without decoding; raises as `decode`."""
    with _opened(encoded) as image:
        return image.size


def orientation_of(encoded: bytes) -> int:
    """Return how `decode` turns an image: 1 to 8 as in EXIF, 1 for not at all."""
    with _opened(encoded) as image:
        return _orientation(image)


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turn stored pixels (H, W) or (H, W, 3) as EXIF's `orientation`, 1 to 8, says."""
    return np.ascontiguousarray(_TURNS[orientation](pixels))


def resized(image: np.ndarray, size: int) -> np.ndarray:
    """Scale to a square by Pillow's antialiased bilinear filter; the aspect is not kept."""
    from PIL import Image

    if image.shape[:2] == (size, size):
        return image
    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR))


def shrunk(image: np.ndarray, longest_side: int | None) -> np.ndarray:
    """Scale uint8 (H, W, 3) so that its longest side is at most that; None leaves it as it is."""
    height, width = image.shape[:2]
    if longest_side is None or max(height, width) <= longest_side:
        return image
    from PIL import Image

    scale = longest_side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))


def nearest(mask: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Scale a mask to (H, W) by taking the nearest pixel: numbers of classes have no mean."""
    if mask.shape == tuple(size):
        return mask
    rows = ((np.arange(size[0]) + 0.5) * mask.shape[0] / size[0]).astype(np.int64)
    columns = ((np.arange(size[1]) + 0.5) * mask.shape[1] / size[1]).astype(np.int64)
    return mask[rows[:, None], columns[None]]


@contextmanager
def _opened(encoded: bytes) -> Iterator[Image.Image]:
    """Open an image by one of `FORMATS`, and say in our words what goes wrong with it."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(encoded), formats=FORMATS) as image:
            yield image
    except UnreadableImage:
        raise
    except UnidentifiedImageError:  # its own words name an object in memory
        raise UnreadableImage("of no known format") from None
    except Image.DecompressionBombError:
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        raise TooLargeImage(f"it has more than {most:,} pixels; scale it down") from None
    except (OSError, SyntaxError, ValueError, struct.error) as problem:
        raise UnreadableImage(str(problem)) from problem


def _orientation(image: Image.Image) -> int:
    """Return how the camera was held, 1 to 8 as in EXIF; 1 where that is damaged or not said."""
    try:
        found = image.getexif().get(ORIENTATION, 1)
    except (ValueError, TypeError, LookupError, EOFError, OverflowError, struct.error):
        return 1
    return found if found in _TURNS else 1


def _eight_bits(image: Image.Image) -> np.ndarray:
    """Convert a Pillow image of any mode to uint8 (H, W, 3)."""
    from PIL import Image

    if image.mode == "F":
        raise UnreadableImage("its pixels are floating-point numbers, without an agreed white")
    if image.mode[0] == "I":
        values = np.asarray(image, dtype=np.int64)  # (H, W)
        if values.min(initial=0) < 0 or values.max(initial=0) > DEEPEST:
            raise UnreadableImage("its pixels have more than 16 bits, without an agreed white")
        grey = np.round(values / 257).astype(np.uint8)
        grey[values == image.info.get("transparency")] = 255
        return np.repeat(grey[..., None], 3, axis=2)
    if image.has_transparency_data:
        seen = image.convert("RGBA")
        white = Image.new("RGBA", seen.size, "white")
        return np.asarray(Image.alpha_composite(white, seen).convert("RGB"))
    return np.asarray(image.convert("RGB"))
