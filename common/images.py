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

import numpy as np

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")  # PPM is PGM and PBM too
SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
    | {".pgm", ".ppm", ".pbm", ".pnm", ".mpo"}
)
DEEPEST = 65_535  # the largest value of 16 bits
UNLABELLED = 255  # in a map of classes: no class is known, so nothing is learned or scored


class UnreadableImage(ValueError):
    """Bytes that are no whole image, or one whose brightness has no agreed scale."""


class TooLargeImage(UnreadableImage):
    """An image of more pixels than allowed."""


def decode(encoded: bytes, *, largest: int | None = None) -> np.ndarray:
    """Return what a viewer shows: uint8 (H, W, 3).

    Raises `TooLargeImage` above `largest` pixels, `UnreadableImage` for the rest; a message says
    what is wrong without naming the file, which only the caller knows.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(encoded), formats=FORMATS) as image:
            if largest is not None and image.width * image.height > largest:
                raise TooLargeImage(f"{image.width} x {image.height} pixels")
            return _eight_bits(ImageOps.exif_transpose(image))
    except UnreadableImage:
        raise
    except UnidentifiedImageError:  # its own words name an object in memory
        raise UnreadableImage("of no known format") from None
    except Image.DecompressionBombError as problem:
        raise TooLargeImage(str(problem)) from None
    except (OSError, SyntaxError, ValueError) as problem:
        raise UnreadableImage(str(problem)) from problem


def _eight_bits(image: object) -> np.ndarray:
    """Convert a Pillow image of any mode to uint8 (H, W, 3)."""
    from PIL import Image

    assert isinstance(image, Image.Image)
    if image.mode == "F":
        raise UnreadableImage("its pixels are floating-point numbers, without an agreed white")
    if image.mode[0] == "I":
        values = np.asarray(image, dtype=np.int64)  # (H, W)
        if values.min(initial=0) < 0 or values.max(initial=0) > DEEPEST:
            raise UnreadableImage("its pixels have more than 16 bits, without an agreed white")
        grey = np.round(values / 257).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    if image.has_transparency_data:
        seen = image.convert("RGBA")
        white = Image.new("RGBA", seen.size, "white")
        return np.asarray(Image.alpha_composite(white, seen).convert("RGB"))
    return np.asarray(image.convert("RGB"))
