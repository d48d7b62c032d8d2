"""The one decoder: what comes out is what a viewer shows, whatever the file stores."""

import io

import numpy as np
import pytest
from PIL import Image

from common.images import (
    TooLargeImage,
    UnreadableImage,
    decode,
    orientation_of,
    resized,
    size_of,
)

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


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])  # Pillow turns a TIFF by itself
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_is_turned_as_its_camera_says(orientation: int, kind: str) -> None:
    turn = {
        1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud,
        5: lambda a: np.swapaxes(a, 0, 1), 6: lambda a: np.rot90(a, 3),
        7: lambda a: np.rot90(np.swapaxes(a, 0, 1), 2), 8: np.rot90,
    }  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    encoded = packed(Image.fromarray(SEEN), kind, exif=exif)
    found = decode(encoded)
    assert orientation_of(encoded) == orientation
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


def test_a_clear_grey_of_sixteen_bits_is_white() -> None:
    deep = Image.fromarray(np.array([[0, 257 * 7, 65_535]], np.uint16))
    assert decode(packed(deep, transparency=257 * 7))[0, :, 0].tolist() == [0, 255, 255]


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


def test_damaged_exif_shows_the_image_as_it_is_stored() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    whole = packed(Image.fromarray(SEEN), "JPEG", exif=exif)
    assert decode(whole).shape == (6, 4, 3)
    start = whole.index(b"Exif") + 6
    for place in range(start, start + 26):
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        assert decode(bytes(damaged)).shape in ((4, 6, 3), (6, 4, 3))


def test_the_first_image_of_several_is_shown() -> None:
    other = Image.new("RGB", (6, 4))
    for kind in ("GIF", "TIFF", "WEBP"):
        options = {"lossless": True} if kind == "WEBP" else {}
        several = packed(
            Image.fromarray(SEEN), kind, save_all=True, append_images=[other], **options
        )
        assert np.array_equal(decode(several), SEEN)
    pair = packed(Image.fromarray(SEEN), "MPO", save_all=True, append_images=[other], quality=95)
    assert decode(pair).shape == SEEN.shape and decode(pair)[0, 0, 0] > 150


def test_lab_and_video_colours_are_converted() -> None:
    grey = np.full((8, 8), 128, np.uint8)
    video = Image.merge("YCbCr", [Image.fromarray(grey)] * 3)
    assert np.abs(decode(packed(video, "TIFF")).astype(int) - 128).max() <= 1


def test_a_large_jpeg_is_decoded_smaller_where_it_is_shown_smaller() -> None:
    rng = np.random.default_rng(0)
    soft = Image.fromarray(rng.integers(0, 256, (8, 12, 3), dtype=np.uint8)).resize((960, 640))
    exif = Image.Exif()
    exif[0x0112] = 6
    encoded = packed(soft, "JPEG", quality=95, exif=exif)
    assert decode(encoded).shape == (960, 640, 3)
    assert decode(encoded, shown_at=40).shape == (120, 80, 3)
    assert decode(encoded, largest=200_000, shown_at=40).shape == (120, 80, 3)
    near = resized(decode(encoded, shown_at=40), 40).astype(int) - resized(decode(encoded), 40)
    assert np.abs(near).mean() < 2
    with pytest.raises(TooLargeImage, match="960 x 640"):
        decode(encoded, largest=100_000, shown_at=40)
    assert size_of(encoded) == (960, 640) and orientation_of(encoded) == 6


def test_resized_keeps_what_fits() -> None:
    image = np.zeros((5, 5), np.uint8)
    assert resized(image, 5) is image and resized(SEEN, 3).shape == (3, 3, 3)


def test_too_large_is_told_apart() -> None:
    encoded = packed(Image.fromarray(SEEN))
    assert decode(encoded, largest=24).shape == SEEN.shape
    with pytest.raises(TooLargeImage, match="6 x 4"):
        decode(encoded, largest=23)
