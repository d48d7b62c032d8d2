"""Pairs of images and masks -> arrays, with all that is wrong in them told at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from common import console
from common.images import nearest, orientation_of, shrunk, upright
from common.own_files import FolderOptions
from data.files.faults import FaultsOfFolder
from data.files.folders import inside
from data.files.masks.decoding import Palette, decode_mask, decode_objects
from data.files.masks.pairs import Pair, listed, pairs_of, split_of
from data.files.masks.places import places, refuse
from data.files.masks.smoothing import without_smoothing
from data.files.part_names import held_out
from data.files.parts import groups_by_name
from data.files.repairs import Repairs
from data.tables import decode_image

SHAPE = 0.02  # by which the ratio of two sides may differ, as resizing to whole pixels leaves it


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
    own: FolderOptions,
    *,
    task: str,
    palette: Palette | None = None,
    longest_side: int | None = None,
) -> Read:
    """Read all images and masks; raise one error of all that cannot be used.

    Images are kept with at most `longest_side` pixels a side. Masks of classes keep their size,
    those of objects take that of their image. A part whose masks hold one value is left out, as
    published tests without labels are.
    """
    lists = {part: inside(root, each) for part, each in own.by_part.items()}
    lists = {part: each for part, each in lists.items() if each.is_file()}
    folders = replace(own, train=None, valid=None, test=None) if lists else own
    found = places(root, folders, task=task)
    pairs, notices = pairs_of(found)
    if not pairs:
        refuse(root or found[0].images)
    pairs, more = listed(pairs, found, lists)
    pixels, masks, faults, repairs = [], [], FaultsOfFolder(), Repairs()
    for pair in console.progress(pairs, "reading images"):
        with faults.kept():
            image, mask = _decoded(pair, palette, task, repairs)
            pixels.append(shrunk(image, longest_side))
            masks.append(mask)
    faults.check()
    masks, cut = without_smoothing([pair.mask for pair in pairs], masks)
    split, said = _split(split_of(pairs), masks, by_hand=bool(own.by_part))
    names = [pair.name for pair in pairs]
    groups = () if own.group is None else tuple(groups_by_name(names, own.group))
    notices += [*more, *cut, *repairs.sentences(), *said]
    return Read(pixels, masks, pairs, groups, split, notices)


def _split(
    split: dict[str, np.ndarray], masks: Sequence[np.ndarray], *, by_hand: bool
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Leave out parts without labels, and make a validation part without a test the test."""
    said = []
    for part in [part for part in ("valid", "test") if part in split]:
        values = {int(value) for row in split[part] for value in np.unique(masks[row])}
        if len(values) < 2:
            said.append(f"The {part} part was left out: its masks hold the value {min(values)} "
                        "alone, as those of a test whose labels are kept back.")  # fmt: skip
            del split[part]
    said += [] if by_hand else held_out(split)
    return {} if list(split) == ["train"] else split, said


def _decoded(
    pair: Pair, palette: Palette | None, task: str, repairs: Repairs
) -> tuple[np.ndarray, np.ndarray]:
    """Return image and mask of a pair; raises `ValueError` if their shapes differ."""
    content = pair.image.read_bytes()
    image, turn = decode_image(content, name=str(pair.image)), orientation_of(content)
    joined = pair.mask.is_dir()
    mask = decode_objects(pair.mask) if joined else decode_mask(pair.mask, palette)
    (height, width), (rows, columns) = image.shape[:2], mask.shape
    if turn >= 5 and (rows, columns) == (width, height) != (height, width):
        repairs.add("masks have the size of the image as stored; they were turned with it, as EXIF"
                    " says", pair.mask.name)  # fmt: skip
        return image, upright(mask, turn)
    if turn > 1:
        repairs.add("images are turned by EXIF; their masks were taken as drawn on what a viewer"
                    " shows", pair.image.name)  # fmt: skip
    if (rows, columns) == (height, width):
        return image, mask
    if abs(rows * width / (columns * height) - 1) > SHAPE:
        raise ValueError(
            f"{pair.mask}: {columns} x {rows} pixels, its image has {width} x {height}, of another"
            " shape. Save both at one size."
        )
    if task == "semantic":
        repairs.add("masks have another size than their image, of the same shape; figures are"
                    " at the masks' size", pair.mask.name)  # fmt: skip
        return image, mask
    repairs.add("masks have another size than their image, of the same shape; they were scaled to"
                " it", pair.mask.name)  # fmt: skip
    return image, nearest(mask, (height, width))
