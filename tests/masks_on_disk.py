"""Images with masks written to disk, for tests of their readers."""

import numpy as np
from PIL import Image

SIDE = 24


def save(path, values, **how):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = values if isinstance(values, Image.Image) else Image.fromarray(values)
    picture.save(path, **how)


def photo(seed=0, side=SIDE):
    return np.random.default_rng(seed).integers(0, 255, (side, side, 3), dtype=np.uint8)


def discs(count, *, values=None):
    """Return a mask with that many discs apart, numbered 1..n or by `values`."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    mask = np.zeros((SIDE, SIDE), np.uint8)
    for number in range(count):
        centre = (4 + 8 * (number // 3), 4 + 8 * (number % 3))
        inside = (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 < 9
        mask[inside] = number + 1 if values is None else values[number]
    return mask


def street(seed, *, void=None):
    """Return a mask of classes 0, 1, 2 with several pieces of 2, and an unlabelled corner."""
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[12 + seed % 3 :] = 1
    mask[14:18, 2:6] = mask[14:18, 10:14] = mask[18:22, 18:22] = 2
    if void is not None:
        mask[:2, :2] = void
    return mask


def write(root, masks, *, images="images", labels="labels", names="{:03d}", side=SIDE):
    for number, mask in enumerate(masks):
        save(root / images / f"{names.format(number)}.jpg", photo(number, side))
        save(root / labels / f"{names.format(number)}.png", mask)
    return root
