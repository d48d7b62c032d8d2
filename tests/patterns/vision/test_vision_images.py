"""An image out of a request: what is accepted, what is refused and how; the profile of images."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from common.serving import RequestError
from patterns.vision.images import decode_image, encode_png, image_profile, read_image


def as_base64(image: Image.Image, kind: str = "PNG", **options: object) -> str:
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)
    return base64.b64encode(buffer.getvalue()).decode()


IMAGE = np.random.default_rng(0).integers(0, 256, (9, 14, 3), dtype=np.uint8)


def test_png_comes_back_exactly_with_data_url_or_line_breaks() -> None:
    text = encode_png(IMAGE)
    for form in (text, "data:image/png;base64," + text, "\n".join([text[:40], text[40:]])):
        assert np.array_equal(decode_image(form), IMAGE)


def test_grey_palette_and_transparent_images_become_colour() -> None:
    for mode in ("L", "P", "RGBA", "1"):
        assert decode_image(as_base64(Image.fromarray(IMAGE).convert(mode))).shape == (9, 14, 3)


@pytest.mark.parametrize("kind", ["BMP", "GIF", "TIFF", "PPM"])
def test_every_format_that_training_reads_is_served(kind: str) -> None:
    grey = Image.fromarray(IMAGE[..., 0])
    expected = np.repeat(IMAGE[..., :1], 3, axis=2)
    assert np.array_equal(decode_image(as_base64(grey, kind)), expected)


def test_what_is_accepted_is_said_where_something_else_comes() -> None:
    with pytest.raises(RequestError, match="PNG, JPEG, WebP, BMP, GIF, TIFF or PGM/PPM") as said:
        decode_image("aGVsbG8=")
    assert "base64" not in str(said.value)  # the page tells it beside a file picker


def test_the_rotation_of_a_photo_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    text = as_base64(Image.fromarray(IMAGE), "JPEG", exif=exif)
    assert decode_image(text).shape == (14, 9, 3)


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("???", 422),
        ("aGVsbG8=", 415),
        (as_base64(Image.fromarray(np.zeros((4, 4), np.float32)), "TIFF"), 415),
        (encode_png(IMAGE)[:200], 415),
        (as_base64(Image.new("L", (5000, 5000))), 413),
        (as_base64(Image.new("1", (20_000, 20_000))), 413),
    ],
)
def test_the_broken_is_refused_naming_field_and_remedy(text: str, status: int) -> None:
    with pytest.raises(RequestError) as refused:
        decode_image(text, field="photo", row=3)
    assert refused.value.status == status
    assert refused.value.field == "photo" and refused.value.row == 3
    assert "object at 0x" not in str(refused.value) and refused.value.remedy


def test_read_image_keeps_grey_grey(tmp_path) -> None:
    Image.fromarray(IMAGE[..., 0]).save(tmp_path / "grey.png")
    assert np.array_equal(read_image(tmp_path / "grey.png"), IMAGE[..., 0])


def test_profile_tells_dark_from_bright_and_grey_from_colour() -> None:
    dark, red = np.zeros((4, 6), np.uint8), np.zeros((5, 5, 3), np.uint8)
    red[..., 0] = 255
    frame = image_profile([dark, red])
    assert frame["brightness"].to_list() == pytest.approx([0, 1 / 3])
    assert frame["colour"].to_list() == [0, 1]
    assert frame["width"].to_list() == [6, 5]


def test_the_profile_of_a_single_pixel_is_finite() -> None:
    frame = image_profile([np.full((1, 1, 3), 9, np.uint8)])
    assert frame.row(0, named=True)["sharpness"] == 0.0
