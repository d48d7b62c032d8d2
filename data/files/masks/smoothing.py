"""Masks of black and white with edges smoothed by JPEG or by scaling: cut at half brightness.

Values between black and white are then no classes and number no objects. A JPEG of anything else
has lost its values for good and is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from data.files.masks.decoding import LOSSY

NEAR = 32  # from black or white
MOST = 0.95  # share of the pixels that are near to either
LEAST = 0.001  # share that is near to white


def without_smoothing(
    files: Sequence[Path], masks: list[np.ndarray]
) -> tuple[list[np.ndarray], list[str]]:
    """Return the masks, 0 and 255 alone where edges were smoothed, and what is to be said."""
    lossy = [file for file in files if file.suffix.lower() in LOSSY]
    smooth = all(mask.dtype == np.uint8 for mask in masks) and _are_black_and_white(
        np.sum([np.bincount(mask.ravel(), minlength=256) for mask in masks], axis=0),
        lossy=bool(lossy),
    )
    if lossy and not smooth:
        raise ValueError(
            f"{lossy[0]}: a JPEG changes the values of a mask, and these masks are not of black and"
            " white alone. Save masks as PNG, from their source."
        )
    if not smooth:
        return masks, []
    why = "JPEG changed" if lossy else "smoothing left"
    return [np.where(mask < 128, 0, 255).astype(np.uint8) for mask in masks], [
        f"The masks are black and white, but for edges that {why}: they were cut at half"
        " brightness, to 0 and 255."
    ]


def _are_black_and_white(counts: np.ndarray, *, lossy: bool) -> bool:
    """Tell from the pixels of each value (256,).

    Smoothing leaves all shades between; numbers of classes and objects do not reach up to white.
    """
    black, white = counts[: NEAR + 1].sum(), counts[255 - NEAR :].sum()
    if black + white < MOST * counts.sum() or white < LEAST * counts.sum():
        return False
    shades = np.array_split(counts[NEAR + 1 : 255 - NEAR], 4)
    return lossy or all((each > 0).any() for each in shades)
