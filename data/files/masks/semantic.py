"""A user's images with a class for each pixel -> SemanticImages.

Values may be any up to 65,535 and have gaps; each becomes a class, `ignore` none. Names come from a
file, from the palette of coloured masks, or are the values. Masks that number objects are refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from common.images import UNLABELLED
from common.own_files import FolderOptions
from data.files.columns import file_source
from data.files.faults import FaultsOfFolder
from data.files.masks.decoding import read_names, read_palette
from data.files.masks.kinds import MANY, listed, use_of, values_of
from data.files.masks.reading import Read, read_pairs
from data.tables import SemanticImages


def semantic_from_folder(
    root: Path | None,
    own: FolderOptions | None = None,
    *,
    names: Path | None = None,
    palette: Path | None = None,
    ignore: int = 255,
    longest_side: int | None = None,
) -> SemanticImages:
    """Read images and masks whose values are classes; pixels of `ignore` have none.

    Images are kept with at most `longest_side` pixels a side, masks as they are.
    """
    colours, named = (None, {}) if palette is None else read_palette(palette)
    if names is not None:
        named = read_names(names)
    read = read_pairs(
        root, own or FolderOptions(), task="semantic", palette=colours,
        longest_side=longest_side,
    )  # fmt: skip
    pixels = values_of(read.masks)
    classes, notices = _classes(read, pixels, named, ignore)
    table = np.full(65_536, UNLABELLED, np.uint8)
    table[classes] = np.arange(len(classes))
    source = file_source(
        (root or read.pairs[0].image.parent,),
        rows=f"{len(read.masks):,} images, {len(classes)} classes",
        notice=" ".join([*read.notices, *notices]) or None,
    )
    return SemanticImages(
        source,
        read.images,
        [table[mask] for mask in read.masks],
        tuple(named.get(value, str(value)) for value in classes),
        tuple(classes),
        read.names,
        read.groups,
        read.split,
    )


def _classes(
    read: Read, pixels: Mapping[int, int], named: Mapping[int, str], ignore: int
) -> tuple[list[int], list[str]]:
    """Return the values that are classes, and what is to be said of them."""
    folder = read.pairs[0].mask.parent
    if read.pairs[0].mask.is_dir():
        raise ValueError(
            f"{read.pairs[0].mask}: a mask for each object, which no class can be told from. Give"
            " --task objects."
        )
    notices = []
    values = [value for value in pixels if value != ignore]
    if len(values) == 1 and ignore in pixels and values[0] == 0:
        values = [0, ignore]
        notices.append(
            f"The masks hold 0 and {ignore} alone, so {ignore} is taken as a class, not as"
            f" unlabelled; it covers {pixels[ignore] / sum(pixels.values()):.0%} of the pixels."
        )
    elif ignore in pixels:
        share = pixels[ignore] / sum(pixels.values())
        notices.append(f"Pixels of value {ignore} ({share:.1%}) are unlabelled and count nowhere.")
    if len(values) < 2:
        raise ValueError(
            f"{folder}: the masks hold the value {listed(values)} alone, and a class needs another"
            " to be told from. Give masks with two classes or more."
        )
    if not named and use_of(read.images, read.masks, ignore=ignore).like_objects:
        raise ValueError(
            f"{folder}: these look like numbered objects, not like classes: {len(values):,} values"
            f" ({listed(values)}), 1 to n in each mask. Give --task objects, or the names of the"
            " classes by --data.names."
        )
    if len(values) > MANY:
        raise ValueError(f"{folder}: {len(values):,} classes; at most {MANY} can be told apart.")
    if named:
        _check_named(read, values, named)
        values = sorted(named.keys() - {ignore})
    return values, notices


def _check_named(read: Read, values: Sequence[int], named: Mapping[int, str]) -> None:
    """Raise for all values that have no name."""
    faults = FaultsOfFolder()
    for value in values:
        if value not in named:
            first = next(row for row, mask in enumerate(read.masks) if (mask == value).any())
            faults.add(
                f"{read.pairs[first].mask}: the value {value} has no name. Add it, or give"
                f" --data.ignore {value} if it stands for no class."
            )
    faults.check()
