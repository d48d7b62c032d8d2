"""Images in requests and answers: base64 text <-> pixels, with every way to be broken refused.

What arrives is untrusted: only PNG and JPEG are opened, the size is read from the header and
checked before a pixel is decoded (a few kilobytes can claim gigapixels), and a truncated file is
an error rather than a half-grey picture. A photo's EXIF orientation is applied, since a phone
stores its pictures lying on their side; transparency is laid on white.
"""

from __future__ import annotations

import base64
import binascii
import io
from typing import Any

import numpy as np

from common.serving.service import RequestError

MAX_PIXELS = 16_000_000


def decode_image(
    text: str, *, field: str = "image", row: int | None = None, max_pixels: int = MAX_PIXELS
) -> np.ndarray:
    """Give the pixels of a base64 PNG or JPEG as uint8 (height, width, 3).

    Raises `RequestError`: 422 if it is not base64, 415 if not a readable PNG or JPEG, 413 if it
    has more than `max_pixels`. `row` is the request's place in its batch, for the message.
    """
    from PIL import Image, ImageOps

    def refuse(message: str, remedy: str, status: int) -> RequestError:
        return RequestError(field, text, message, remedy, status=status, row=row)

    encoded = text.partition(",")[2] if text.startswith("data:") else text
    try:
        content = base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError):
        raise refuse("not base64", "send the file's bytes as base64", 422) from None
    remedy, limit = "send a whole PNG or JPEG file", f"send at most {max_pixels:,} pixels"
    try:
        image: Any = Image.open(io.BytesIO(content), formats=("PNG", "JPEG"))
        width, height = image.size
        if width * height <= max_pixels:
            image = ImageOps.exif_transpose(image)
            return np.asarray(_on_white(image), dtype=np.uint8)  # (H, W, 3)
    except Image.DecompressionBombError:
        raise refuse("far too many pixels", limit, 413) from None
    except Exception as problem:  # a broken file can make the decoder raise nearly anything
        reason = f"not a readable PNG or JPEG ({type(problem).__name__})"
        raise refuse(reason, remedy, 415) from None
    raise refuse(f"{width:,} x {height:,} pixels are too many", limit, 413)


def _on_white(image: Any) -> Any:
    """Give an RGB picture; 16-bit grey is scaled to 8 bits, transparency laid on white."""
    from PIL import Image

    if image.mode.startswith("I"):
        deep = np.asarray(image, dtype=np.float64)
        image = Image.fromarray((deep / 257.0).clip(0, 255).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, image)
    return image.convert("RGB")


def encode_png(pixels: np.ndarray) -> str:
    """Give uint8 pixels, (H, W) or (H, W, 3), as a base64 PNG, which the page shows."""
    from PIL import Image

    assert pixels.dtype == np.uint8, pixels.dtype
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode("ascii")
