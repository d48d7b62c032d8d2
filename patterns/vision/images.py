"""What the three vision tasks share: an image out of a request, and a profile of images.

A service must survive whatever is sent as "an image": text that is not base64, a truncated file,
a format nobody wants to parse, a 10 KB file that unpacks to 10 gigapixels. Each is refused with a
`RequestError` (a 4xx) naming the field, before any pixel reaches a model. A photo's EXIF rotation
is applied, because training images have none.

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

from common.serving.service import RequestError

if TYPE_CHECKING:
    import polars as pl

FORMATS = ("PNG", "JPEG", "WEBP")
LARGEST_PIXELS = 16_000_000
REMEDY = "send a PNG, JPEG or WebP file in base64"


def decode_image(
    encoded: str, *, field: str = "image", row: int | None = None, largest: int = LARGEST_PIXELS
) -> np.ndarray:
    """Decode base64 (a `data:` URL works too) to uint8 (H, W, 3).

    Raises `RequestError` for what is not base64, not a whole image, or above `largest` pixels.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    raw = _from_base64(encoded, field, row)
    try:
        with Image.open(io.BytesIO(raw), formats=FORMATS) as image:
            if image.width * image.height > largest:
                raise _too_large(field, f"{image.width} x {image.height}", largest, row)
            if image.mode[0] in "IF":  # 16 or 32 bits: Pillow would cut them off, not scale them
                raise RequestError(
                    field, image.mode, "the image has more than 8 bits a channel",
                    "scale its brightness to 8 bits", status=415, row=row,
                )  # fmt: skip
            return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))  # (H, W, 3)
    except RequestError:
        raise
    except Image.DecompressionBombError:
        raise _too_large(field, _start(encoded), largest, row) from None
    except (OSError, SyntaxError, ValueError) as problem:
        message = f"the image cannot be read ({problem})"
        if isinstance(problem, UnidentifiedImageError):  # its own words name an object in memory
            message = f"this is not a {', '.join(FORMATS)} file"
        raise RequestError(field, _start(encoded), message, REMEDY, status=415, row=row) from None


def _too_large(field: str, value: str, largest: int, row: int | None) -> RequestError:
    return RequestError(
        field, value, f"the image has more than {largest:,} pixels",
        f"scale it down to at most {largest:,} pixels", status=413, row=row,
    )  # fmt: skip


def _from_base64(encoded: str, field: str, row: int | None) -> bytes:
    if encoded.startswith("data:"):
        encoded = encoded.partition(",")[2]
    try:
        return base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError):
        raise RequestError(field, _start(encoded), "this is not base64", REMEDY, row=row) from None


def _start(text: str) -> str:
    return text if len(text) <= 40 else text[:40] + "…"


def encode_png(image: np.ndarray) -> str:
    """Return uint8 (H, W) or (H, W, 3) as a PNG file in base64."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG")
    return base64.b64encode(buffer.getvalue()).decode("ascii")


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
