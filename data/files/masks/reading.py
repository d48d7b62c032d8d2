"""Pairs of images and masks -> arrays, with all that is wrong in them told at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from common.images import shrunk
from data.files.faults import FaultsOfFolder
from data.files.folders import decode
from data.files.masks.decoding import Palette, decode_mask, decode_objects
from data.files.masks.pairs import Pair, pairs_of, split_of, voc_lists
from data.files.masks.places import places
from data.files.parts import groups_by_name


@dataclass(frozen=True)
class Read:
    """What was read of a user's folders, N images."""

    images: list[np.ndarray]
    masks: list[np.ndarray]
    """uint8 or uint16 (H, W) each."""
    pairs: list[Pair]
    groups: tuple[str, ...]
    split: dict[str, np.ndarray]
    notices: list[str]

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the images."""
        return tuple(pair.name for pair in self.pairs)


def read_pairs(
    root: Path | None,
    *,
    images: Path | None,
    labels: Path | None,
    parts: Mapping[str, Path | None],
    group: str | None,
    palette: Palette | None = None,
    longest_side: int | None = None,
) -> Read:
    """Read all images and masks; raise one error of all that cannot be used.

    Images are kept with at most `longest_side` pixels a side, masks as they are.
    """
    found = places(root, images=images, masks=labels, parts=parts)
    pairs, notices = pairs_of(found)
    pairs, more = voc_lists(pairs, found)
    pixels, masks, faults = [], [], FaultsOfFolder()
    for pair in pairs:
        with faults.kept():
            image, mask = _decoded(pair, palette)
            pixels.append(shrunk(image, longest_side))
            masks.append(mask)
    faults.check()
    groups = () if group is None else tuple(groups_by_name([p.name for p in pairs], group))
    return Read(pixels, masks, pairs, groups, split_of(pairs), [*notices, *more])


def _decoded(pair: Pair, palette: Palette | None) -> tuple[np.ndarray, np.ndarray]:
    """Return image and mask of a pair; raises `ValueError` if their sizes differ."""
    image = decode(pair.image)
    joined = pair.mask.is_dir()
    mask = decode_objects(pair.mask) if joined else decode_mask(pair.mask, palette)
    if image.shape[:2] != mask.shape:
        raise ValueError(
            f"{pair.mask}: {mask.shape[1]} x {mask.shape[0]} pixels, its image has "
            f"{image.shape[1]} x {image.shape[0]}. Make them equal."
        )
    return image, mask
