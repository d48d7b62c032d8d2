"""The one decoder: what comes out is what a viewer shows, whatever the file stores."""

import io

import numpy as np
import pytest
from PIL import Image

from common.images import TooLargeImage, UnreadableImage, decode

SEEN = np.zeros((4, 6, 3), np.uint8)
SEEN[:2, :3], SEEN[2:, 3:] = (255, 0, 0), (0, 0, 255)


def packed(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM", "GIF"])
def test_every_lossless_format_gives_the_same_pixels(kind: str) -> None:
    assert np.array_equal(decode(packed(Image.fromarray(SEEN), kind)), SEEN)


def test_a_webp_and_a_jpeg_are_read() -> None:
    assert np.array_equal(decode(packed(Image.fromarray(SEEN), "WEBP", lossless=True)), SEEN)
    grey = np.full((8, 8), 128, np.uint8)
    assert (decode(packed(Image.fromarray(grey), "JPEG")) == 128).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_is_turned_as_its_camera_says(orientation: int) -> None:
    turn = {
        1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud,
        5: lambda a: np.swapaxes(a, 0, 1), 6: lambda a: np.rot90(a, 3),
        7: lambda a: np.rot90(np.swapaxes(a, 0, 1), 2), 8: np.rot90,
    }  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    found = decode(packed(Image.fromarray(SEEN), "PNG", exif=exif))
    assert np.array_equal(found, turn[orientation](SEEN))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_what_is_transparent_is_white(mode: str) -> None:
    clear = Image.new(mode, (3, 2), (10, 20, 30, 0) if mode == "RGBA" else (10, 0))
    assert (decode(packed(clear)) == 255).all()
    half = Image.new("RGBA", (1, 1), (0, 0, 0, 128))
    assert decode(packed(half)).ravel().tolist() == [127] * 3


def test_a_palette_gives_its_colours_and_its_clear_one_is_white() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([200, 10, 10, 0, 90, 0])
    image.putpixel((1, 0), 1)
    assert decode(packed(image))[0].tolist() == [[200, 10, 10], [0, 90, 0]]
    assert decode(packed(image, transparency=1))[0].tolist() == [[200, 10, 10], [255] * 3]


def test_one_bit_and_sixteen_bits_reach_from_black_to_white() -> None:
    bits = Image.new("1", (2, 1))
    bits.putpixel((1, 0), 1)
    assert decode(packed(bits))[0].tolist() == [[0] * 3, [255] * 3]
    deep = Image.fromarray(np.array([[0, 257 * 7, 65_535]], np.uint16))
    for kind in ("PNG", "TIFF"):
        assert decode(packed(deep, kind))[0, :, 0].tolist() == [0, 7, 255]
    pgm = b"P5 3 1 65535 " + np.array([0, 257 * 7, 65_535], ">u2").tobytes()
    assert decode(pgm)[0, :, 0].tolist() == [0, 7, 255]


def test_four_inks_become_colours() -> None:
    inks = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    assert np.abs(decode(packed(inks, "TIFF"))[0, 0].astype(int) - (255, 0, 0)).max() <= 2
    found = decode(packed(inks, "JPEG"))[4, 4].astype(int)
    assert np.abs(found - (255, 0, 0)).max() <= 4


@pytest.mark.parametrize(
    ("encoded", "said"),
    [
        (b"", "of no known format"),
        (b"not an image", "of no known format"),
        (packed(Image.fromarray(SEEN))[:60], r"\w"),
        (packed(Image.fromarray(np.zeros((2, 2), np.float32)), "TIFF"), "floating-point"),
        (packed(Image.fromarray(np.full((2, 2), 70_000, np.int32)), "TIFF"), "more than 16 bits"),
    ],
)
def test_what_is_no_image_is_refused(encoded: bytes, said: str) -> None:
    with pytest.raises(UnreadableImage, match=said):
        decode(encoded)


def test_too_large_is_told_apart() -> None:
    encoded = packed(Image.fromarray(SEEN))
    assert decode(encoded, largest=24).shape == SEEN.shape
    with pytest.raises(TooLargeImage, match="6 x 4"):
        decode(encoded, largest=23)
