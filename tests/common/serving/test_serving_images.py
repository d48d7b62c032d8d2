"""Images in requests: what is readable comes back exactly, what is broken is refused by name."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from common.serving import RequestError
from common.serving.images import decode_image, encode_png

PIXELS = np.random.default_rng(0).integers(0, 256, (9, 13, 3), dtype=np.uint8)


def text_of(image: Image.Image, kind: str = "PNG", **options: Any) -> str:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return base64.b64encode(buffer.getvalue()).decode()


def refusal(text: str, **options: Any) -> RequestError:
    with pytest.raises(RequestError) as caught:
        decode_image(text, field="image", **options)
    assert caught.value.field == "image" and caught.value.remedy
    return caught.value


def test_png_round_trip_also_as_data_url() -> None:
    text = encode_png(PIXELS)
    np.testing.assert_array_equal(decode_image(text), PIXELS)
    np.testing.assert_array_equal(decode_image("data:image/png;base64," + text), PIXELS)


def test_grey_becomes_three_equal_channels() -> None:
    decoded = decode_image(encode_png(PIXELS[..., 0]))
    np.testing.assert_array_equal(decoded, np.repeat(PIXELS[..., :1], 3, axis=2))


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    deep = np.array([[0, 257 * 100, 65535]], dtype=np.uint16)
    assert decode_image(text_of(Image.fromarray(deep)))[0, :, 0].tolist() == [0, 100, 255]


def test_transparency_is_laid_on_white() -> None:
    clear = Image.new("RGBA", (2, 2), (0, 0, 0, 0))
    assert (decode_image(text_of(clear)) == 255).all()


def test_orientation_of_a_photo_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its side
    assert decode_image(text_of(Image.fromarray(PIXELS), "JPEG", exif=exif)).shape == (13, 9, 3)


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("not base64!", 422),
        ("ünïcode", 422),
        ("", 415),
        (base64.b64encode(b"plain text").decode(), 415),
        (text_of(Image.fromarray(PIXELS), "GIF"), 415),
        (encode_png(PIXELS)[:200], 415),
    ],
)
def test_what_is_no_image_is_refused(text: str, status: int) -> None:
    assert refusal(text).status == status


def test_a_truncated_jpeg_is_refused() -> None:
    whole = base64.b64decode(text_of(Image.fromarray(PIXELS.repeat(20, 0).repeat(20, 1)), "JPEG"))
    assert refusal(base64.b64encode(whole[: len(whole) // 2]).decode()).status == 415


def test_a_bomb_is_refused_from_its_header() -> None:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    bomb = (
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    )
    end = b"IDAT" + zlib.compress(b"")
    bomb += struct.pack(">I", len(end) - 4) + end + struct.pack(">I", zlib.crc32(end))
    problem = refusal(base64.b64encode(bomb).decode(), row=3)
    assert problem.status == 413 and problem.row == 3
    assert refusal(encode_png(PIXELS), max_pixels=100).status == 413


@settings(max_examples=150, deadline=None, database=None)
@given(place=st.integers(0, 10_000), value=st.integers(0, 255))
def test_a_changed_byte_never_escapes_as_another_error(place: int, value: int) -> None:
    content = bytearray(base64.b64decode(encode_png(PIXELS)))
    content[place % len(content)] = value
    try:
        decoded = decode_image(base64.b64encode(content).decode())
    except RequestError:
        return
    assert decoded.dtype == np.uint8 and decoded.ndim == 3
