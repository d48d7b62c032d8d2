"""A mask file -> the values of its pixels, whatever kind of image it is.

Values are numbers, not brightness, so nothing may be scaled, blended or compressed with loss: a
palette gives its indices, unless it is of greys alone, 16 bits stay 16, one bit is 0 and 1. Grey
saved as RGB, or red alone, is one channel again. Colours have no numbers of their own; they need a
palette that says what each stands for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from data.files.folders import images_below

if TYPE_CHECKING:
    from PIL import Image

LOSSY = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"})
HIGHEST = 65_535
SHOWN = 5  # colours in a message
Palette = Mapping[tuple[int, int, int], int]  # colour -> value


def decode_mask(path: Path, palette: Palette | None = None) -> np.ndarray:
    """Return the values, uint8 or uint16 (H, W), or raise, naming the file and the remedy."""
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as image:
            seen = ImageOps.exif_transpose(image)
            if path.suffix.lower() in LOSSY:
                seen = seen.convert("L")
            elif seen.mode == "P" and (palette is not None or _is_grey(seen)):
                seen = seen.convert("RGB")
            values = np.asarray(seen)
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"{path}: not a readable image ({error}). Save it again.") from error
    if values.ndim == 3:
        values = _one_channel(path, values, palette)
    if (
        values.dtype.kind not in "bui"
        or values.min(initial=0) < 0
        or values.max(initial=0) > HIGHEST
    ):
        raise ValueError(
            f"{path}: a mask has one channel of whole numbers up to {HIGHEST}, this one is "
            f"{values.dtype} {values.shape}. Save it as an 8- or 16-bit grey PNG."
        )
    return values.astype(np.uint8 if values.max(initial=0) < 256 else np.uint16)


def _is_grey(image: Image.Image) -> bool:
    """Tell a palette of greys alone: a tool that shrinks files wrote it, and its greys count."""
    colours = np.array(image.getpalette("RGB")).reshape(-1, 3)
    return bool((colours == colours[:, :1]).all())


def decode_objects(folder: Path) -> np.ndarray:
    """Join a folder of masks, one an object, to numbers 1..n; a shared pixel goes to the first."""
    from data.nuclei import merge_masks

    masks = [decode_mask(file) for file in images_below(folder)]
    if len({mask.shape for mask in masks}) > 1:
        raise ValueError(f"{folder}: its masks are of different sizes. Make them equal.")
    return merge_masks(masks)


def _one_channel(path: Path, values: np.ndarray, palette: Palette | None) -> np.ndarray:
    """Return the values of colours (H, W, 2 to 4) by the palette, or of grey saved as colours."""
    if values.shape[2] in (2, 4):
        if (values[..., -1] != values[..., -1].flat[0]).any():
            raise ValueError(
                f"{path}: the mask is partly transparent, so its values are open. Save it as grey."
            )
        values = values[..., :-1]
    if palette is not None and values.shape[2] == 3:
        return _by_palette(path, values, palette)
    if (values == values[..., :1]).all() or not values[..., 1:].any():
        return values[..., 0]  # grey, or numbers in the red channel alone
    codes = np.unique(values.reshape(-1, 3), axis=0)
    some = "; ".join(" ".join(map(str, colour)) for colour in codes[:SHOWN])
    raise ValueError(
        f"{path}: the mask is coloured ({len(codes):,} colours, such as {some})."
        " Give --task semantic with --data.palette, a text file with `name r g b` a line, or save"
        " the numbers of objects or classes as a grey PNG."
    )


def _by_palette(path: Path, values: np.ndarray, palette: Palette) -> np.ndarray:
    codes, place = np.unique(values.reshape(-1, 3), axis=0, return_inverse=True)
    colours = [(int(r), int(g), int(b)) for r, g, b in codes]
    unknown = [colour for colour in colours if colour not in palette]
    if unknown:
        some = "; ".join(" ".join(map(str, colour)) for colour in unknown[:SHOWN])
        raise ValueError(
            f"{path}: {len(unknown):,} colours are not in the palette ({some}). Add them, or save"
            " the mask again without smoothing."
        )
    numbers = np.array([palette[colour] for colour in colours], np.uint16)
    return numbers[place.reshape(values.shape[:2])]


def read_names(path: Path) -> dict[int, str]:
    """Read `name` a line, the first of value 0, or `value name` on every line."""
    lines = _lines(path)
    numbered = [re.fullmatch(r"(\d+)\s*[,;:\t ]\s*(.+)", line) for _, line in lines]
    if all(numbered):
        names = {int(found[1]): found[2].strip() for found in numbered if found}
    else:
        names = {row: line for row, (_, line) in enumerate(lines)}
    if len(set(names.values())) < len(lines):
        raise ValueError(f"{path}: a name or a value stands twice. Give each class a line.")
    return names


def read_palette(path: Path) -> tuple[dict[tuple[int, int, int], int], dict[int, str]]:
    """Read a name and three numbers a line, in either order: values of colours, names of values."""
    palette: dict[tuple[int, int, int], int] = {}
    names: dict[int, str] = {}
    for row, line in _lines(path):
        numbers = re.findall(r"(?<![\w.])\d+(?![\w.])", line)
        name = re.sub(r"(?<![\w.])\d+(?![\w.])|[,;:\t]", " ", line).strip()
        colour = tuple(map(int, numbers))
        if len(colour) != 3 or max(colour) > 255 or not name:
            if row == 1 and not numbers:
                continue  # a header: name, r, g, b
            raise ValueError(f"{path}, row {row}: {line!r} is not a name and three numbers to 255.")
        if colour in palette or name in names.values():
            raise ValueError(f"{path}, row {row}: {line!r} stands twice. Remove one.")
        palette[colour[0], colour[1], colour[2]] = len(names)
        names[len(names)] = " ".join(name.split())
    return palette, names


def _lines(path: Path) -> list[tuple[int, str]]:
    """Return the lines of a text file that hold something, with their numbers from 1."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 text ({error.reason}). Save it as UTF-8.") from error
    found = [(row, line.strip()) for row, line in enumerate(text.splitlines(), start=1)]
    found = [(row, line) for row, line in found if line]
    if not found:
        raise ValueError(f"{path}: it is empty. Write one class a line.")
    return found
