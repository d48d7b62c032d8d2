"""A user's images with numbered objects -> SegmentationImages.

Masks that look like classes are refused by name unless the user is certain; masks of one foreground
value have their connected pieces numbered. What was done is said in the source's notice.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from common.own_files import FolderOptions
from data.files.columns import file_source
from data.files.masks.kinds import Use, listed, use_of, values_of
from data.files.masks.reading import read_pairs
from data.tables import SegmentationImages

VOID = 255  # the border of objects in Pascal VOC


def objects_from_folder(
    root: Path | None,
    own: FolderOptions | None = None,
    *,
    certain: bool = False,
) -> SegmentationImages:
    """Read images and masks with 0 for background and a number for each object.

    `certain`: the values are numbers of objects though they look like classes.
    """
    read = read_pairs(root, own or FolderOptions(), task="objects")
    pixels = values_of(read.masks)
    used = [value for value in pixels if value]
    notices = list(read.notices)
    masks = read.masks
    joined = read.pairs[0].mask.is_dir()  # numbered here
    if not used:
        raise ValueError(
            f"{read.pairs[0].mask.parent}: all masks are 0 everywhere, so there is no object."
            " Give masks with a number for each."
        )
    if len(pixels) == 1:
        raise ValueError(_one_value(read.pairs[0].mask.parent, used[0]))
    if len(used) == 1 and 0 in pixels:
        masks = [pieces(mask) for mask in masks]
        notices.append(_one_foreground(used[0], pixels, [int(mask.max()) for mask in masks]))
    else:
        masks, said = _checked(
            read.images, masks, read.pairs[0].mask.parent, certain=certain or joined
        )
        notices += said
    masks = [mask.astype(np.uint16) for mask in masks]
    total = sum(len(np.unique(mask[mask > 0])) for mask in masks)
    source = file_source(
        (root or read.pairs[0].image.parent,),
        rows=f"{len(masks):,} images, {total:,} objects",
        notice=" ".join(notices) or None,
    )
    return SegmentationImages(
        source, read.images, masks, read.names, groups=read.groups, split=read.split
    )


def pieces(mask: np.ndarray) -> np.ndarray:
    """Number the connected pieces of what is not 0, uint16 (H, W); diagonals connect."""
    from scipy import ndimage

    return ndimage.label(mask > 0, structure=np.ones((3, 3)))[0].astype(np.uint16)


def _checked(
    images: Sequence[np.ndarray], masks: Sequence[np.ndarray], folder: Path, *, certain: bool
) -> tuple[list[np.ndarray], list[str]]:
    """Refuse what looks like classes; say where a number lies in several pieces."""
    notices = []
    use = use_of(images, masks)
    if VOID in use.values and max(v for v in use.values if v != VOID) < VOID - 1:
        masks = [np.where(mask == VOID, 0, mask).astype(np.uint16) for mask in masks]
        notices.append(f"The value {VOID} is taken as a border between objects, as background.")
        use = use_of(images, masks)
    if use.like_classes and not certain:
        raise ValueError(
            f"{folder}: these look like classes, not like numbered objects: {_why(use)}. Give"
            " --task semantic, or --task objects if each number is one object."
        )
    if use.in_pieces:
        notices.append(
            f"{use.in_pieces:.0%} of the objects lie in several pieces; each number is one object."
        )
    return list(masks), notices


def _why(use: Use) -> str:
    return (
        f"{len(use.values)} values ({listed(use.values)}), each in {use.recurring:.0%} of the masks"
        f" on average, {use.in_pieces:.0%} of them in several separate pieces"
    )


def _one_foreground(value: int, pixels: dict[int, int], counts: Sequence[int]) -> str:
    share = pixels[value] / sum(pixels.values())
    said = (
        f"The masks hold 0 and {value} alone: {value} is taken as the object ({share:.0%} of the"
        f" pixels), and each of its {sum(counts):,} connected pieces as one object, so objects that"
        " touch count as one; --task semantic takes 0 and the object as two classes."
    )
    if share > 0.5:
        said += f" {value} covers most of the images: if it is the background, invert the masks."
    return said


def _one_value(folder: Path, value: int) -> str:
    return (
        f"{folder}: all masks are {value} everywhere, so nothing can be told apart. Give masks with"
        " 0 for background, or name their folder by --data.labels."
    )
