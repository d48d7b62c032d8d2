"""Whether the values of masks look like numbers of objects or like classes.

Both are whole numbers in a grey image, and a network trains on either without complaint. What tells
them apart is how they are used:

    objects   1..n in each mask, each in one piece, n differs from mask to mask
    classes   the same few values in mask after mask, in several pieces, with gaps between, each of
              a colour of its own

Pieces are counted in a sample of the masks, the large ones on a coarser grid.

Shapes: H x W pixels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from common.images import nearest

SAMPLE = 60  # masks looked at
SIDE = 256  # pixels; larger masks are thinned out to it
SPECK = 4  # pixels; smaller pieces are not counted
FEW = 64  # classes
MANY = 255  # more values than a map of classes can hold


@dataclass(frozen=True)
class Use:
    """How the values of masks are used; 0 is left out."""

    values: tuple[int, ...]
    """That occur in the sample."""
    masks: int
    """Looked at that hold any."""
    recurring: float
    """Mean over values of the share of masks that hold them."""
    in_pieces: float
    """Share of the (mask, value) pairs that lie in several pieces."""
    numbered: float
    """Share of the masks whose values are 1..n without gaps."""
    same: bool
    """Whether each mask holds the same two values or more."""
    coloured: bool
    """Whether colours differ more between values than between the masks of one value."""

    @property
    def like_classes(self) -> bool:
        """Whether values recur as classes do."""
        if not 2 <= len(self.values) <= FEW or self.masks < 2:
            return False
        gaps = self.numbered < 0.8 and self.recurring > 0.3
        return self.in_pieces > 0.25 or gaps or (self.same and self.coloured and self.masks >= 5)

    @property
    def like_objects(self) -> bool:
        """Whether values number the objects of each mask."""
        if len(self.values) > MANY:
            return True
        numbers = len(self.values) >= 5 and self.in_pieces < 0.05 and not self.same
        return numbers and (self.numbered > 0.9 or self.recurring < 0.1)


def use_of(
    images: Sequence[np.ndarray], masks: Sequence[np.ndarray], *, ignore: int | None = None
) -> Use:
    """Look at a sample of images (H, W, 3) and their masks (H, W); `ignore` is no value."""
    chosen = np.linspace(0, len(masks) - 1, min(SAMPLE, len(masks))).round().astype(int)
    found: list[dict[int, int]] = []  # value -> pieces, for each mask
    colours: dict[int, list[np.ndarray]] = {}  # value -> mean colour, for each mask with it
    for row in chosen:
        mask = _thinned(masks[row])
        image = nearest(images[row], mask.shape)
        pieces = pieces_of(mask)
        found.append({v: n for v, n in pieces.items() if v not in (0, ignore)})
        for value in found[-1] if len(found[-1]) <= FEW else ():
            colours.setdefault(value, []).append(image[mask == value].mean(axis=0))
    found = [each for each in found if each]
    counts = Counter(value for each in found for value in each)
    pairs = sum(counts.values())
    return Use(
        values=tuple(sorted(counts)),
        masks=len(found),
        recurring=float(np.mean([n / len(found) for n in counts.values()])) if counts else 0.0,
        in_pieces=sum(n > 1 for each in found for n in each.values()) / max(pairs, 1),
        numbered=float(np.mean([max(each) == len(each) for each in found])) if found else 0.0,
        same=len(counts) >= 2 and all(len(each) == len(counts) for each in found),
        coloured=_differ([np.stack(each) for each in colours.values()]),
    )


def pieces_of(mask: np.ndarray) -> dict[int, int]:
    """Count the connected pieces of each value of a mask (H, W), diagonals connected."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    number = np.arange(mask.size).reshape(mask.shape)
    sides = [
        (slice(None), slice(1, None), slice(None), slice(None, -1)),
        (slice(1, None), slice(None), slice(None, -1), slice(None)),
        (slice(1, None), slice(1, None), slice(None, -1), slice(None, -1)),
        (slice(1, None), slice(None, -1), slice(None, -1), slice(1, None)),
    ]
    pairs = []
    for down, across, up, back in sides:
        equal = mask[down, across] == mask[up, back]
        pairs.append((number[down, across][equal], number[up, back][equal]))
    ends = tuple(np.concatenate(each) for each in zip(*pairs, strict=True))
    graph = coo_matrix((np.ones(len(ends[0]), bool), ends), shape=(mask.size, mask.size))
    piece = connected_components(graph, directed=False)[1]
    first = np.unique(piece, return_index=True)[1]
    large = np.bincount(piece) >= SPECK
    values = mask.ravel()[first]
    counted = Counter(values[large].tolist())
    return {int(value): max(1, counted[value]) for value in np.unique(mask).tolist()}


def values_of(masks: Sequence[np.ndarray]) -> dict[int, int]:
    """Return the pixels of each value in all masks."""
    total = np.zeros(65_536, np.int64)
    for mask in masks:
        total += np.bincount(mask.ravel(), minlength=65_536)
    return {int(value): int(total[value]) for value in np.flatnonzero(total)}


def listed(values: Sequence[int], most: int = 8) -> str:
    """Return values for a message: 0, 1, 2, …"""
    return ", ".join(map(str, values[:most])) + (", …" if len(values) > most else "")


def _differ(colours: Sequence[np.ndarray]) -> bool:
    """Tell whether mean colours (n, 3) vary more between values than within them."""
    if len(colours) < 2:
        return False
    between = np.var([each.mean(axis=0) for each in colours], axis=0).sum()
    within = np.mean([each.var(axis=0).sum() for each in colours])
    return bool(between > 4 * within)


def _thinned(mask: np.ndarray) -> np.ndarray:
    step = max(1, -(-max(mask.shape) // SIDE))
    return mask[::step, ::step]
