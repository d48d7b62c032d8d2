"""What the three vision tasks share: an image out of a request, and a profile of images.

A service must survive whatever is sent as "an image": text that is not base64, a truncated file,
a format nobody wants to parse, a 10 KB file that unpacks to 10 gigapixels. Each is refused with a
`RequestError` (a 4xx) naming the field, before any pixel reaches a model. An
image is decoded as the training images were.

The profile is what drift monitoring can watch without labels: brightness, contrast, sharpness and
colour of the images, each one number an image.
"""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from common.images import TooLargeImage, UnreadableImage, decode
from common.serving.service import RequestError

if TYPE_CHECKING:
    import polars as pl

LARGEST_PIXELS = 16_000_000
KINDS = "PNG, JPEG, WebP, BMP, GIF, TIFF or PGM/PPM"
REMEDY = f"send an image file ({KINDS})"


def decode_image(
    encoded: str,
    *,
    field: str = "image",
    row: int | None = None,
    largest: int = LARGEST_PIXELS,
    shown_at: int | None = None,
) -> np.ndarray:
    """Decode base64 (a `data:` URL works too) to uint8 (H, W, 3), as training images were.

    `shown_at`: the side it will be scaled to, if the training images were decoded for it.
    Raises `RequestError` for what is not base64, not a whole image, or above `largest` pixels.
    """
    raw = _from_base64(encoded, field, row)
    try:
        return decode(raw, largest=largest, shown_at=shown_at)
    except TooLargeImage as problem:
        raise RequestError(
            field, _start(encoded), f"the image has more than {largest:,} pixels ({problem})",
            f"scale it down to at most {largest:,} pixels", status=413, row=row,
        ) from None  # fmt: skip
    except UnreadableImage as problem:
        message = f"the image cannot be read: {problem}"
        raise RequestError(field, _start(encoded), message, REMEDY, status=415, row=row) from None


def _from_base64(encoded: str, field: str, row: int | None) -> bytes:
    if encoded.startswith("data:"):
        encoded = encoded.partition(",")[2]
    try:
        return base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError):
        remedy = f"{REMEDY} in base64"
        raise RequestError(field, _start(encoded), "this is not base64", remedy, row=row) from None


def _start(text: str) -> str:
    return text if len(text) <= 40 else text[:40] + "…"


def encode_png(image: np.ndarray, *, palette: bool = False) -> str:
    """Return (H, W) or uint8 (H, W, 3) as a PNG file in base64.

    With `palette`, values 0..255 (H, W) stay the pixels of the file and each is shown in a colour
    of its own.
    """
    from PIL import Image

    drawn = Image.fromarray(image.astype(np.uint8) if palette else image)
    if palette:
        drawn.putpalette(_colours().tobytes())
    buffer = io.BytesIO()
    drawn.save(buffer, format="PNG")
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def _colours() -> np.ndarray:
    """Return Pascal VOC's 256 colours, uint8 (256, 3): bits of the number, spread to channels."""
    number = np.arange(256)[:, None]
    channels = np.arange(3)[None]
    bits = [((number >> (channels + 3 * place)) & 1) << (7 - place) for place in range(3)]
    return np.sum(bits, axis=0).astype(np.uint8)


def image_profile(images: Sequence[np.ndarray]) -> pl.DataFrame:
    """Describe each uint8 (H, W) or (H, W, 3) image by a few numbers, for drift monitoring."""
    import polars as pl

    rows = []
    for image in images:
        pixels = np.asarray(image, dtype=np.float32) / 255
        grey = pixels if pixels.ndim == 2 else pixels.mean(axis=2)  # (H, W)
        steps = np.abs(np.diff(grey, axis=1))  # none where the image is one pixel wide
        colour = float(np.ptp(pixels, axis=2).mean()) if pixels.ndim == 3 else 0.0
        rows.append(
            {
                "height": float(grey.shape[0]),
                "width": float(grey.shape[1]),
                "brightness": float(grey.mean()),
                "contrast": float(grey.std()),
                "sharpness": float(steps.mean()) if steps.size else 0.0,
                "colour": colour,
            }
        )
    return pl.DataFrame(rows)


def read_image(path: Path) -> np.ndarray:
    """Read an image file of ours as uint8, grey or colour as it was written."""
    from PIL import Image

    with Image.open(path) as image:
        return np.asarray(image)
