"""Boxes as written -> pixels of the image as it is seen.

An image is decoded as a viewer shows it, turned by its EXIF orientation (`common.images`). A box
drawn in a viewer fits that; a box drawn on the stored pixels does not, and the size that the
annotation states tells the two apart:

    stated size = size as seen      kept
    stated size = size as stored    turned with the image
    as seen, but larger or smaller  scaled by the ratio: the image was resized later
    anything else                   kept if the boxes lie in the image, else refused

Then corners are put in order, boxes are cut at the image's edges, and those without area dropped.

Shapes: n boxes of an image; boxes are (n, 4), x0, y0, x1, y1.
"""

from __future__ import annotations

import numpy as np

from data.files.boxes.labelled import LabelledImage
from data.files.repairs import Repairs

PIXELS = 0.5  # by which an edge may lie outside an image, as rounding leaves it
SHAPE = 0.02  # by which the ratio of two sides may differ, as resizing to whole pixels leaves it


def fitted(
    image: LabelledImage,
    seen: tuple[int, int],
    orientation: int,
    *,
    relative: bool,
    repairs: Repairs,
) -> tuple[np.ndarray, np.ndarray]:
    """Return boxes float32 (n, 4) inside an image `seen` (width, height), and their rows (n,).

    `orientation` is that of EXIF, by which the stored pixels were turned. What was done is counted
    in `repairs`; boxes of another image raise `ValueError`.
    """
    boxes = np.array([box.corners for box in image.boxes], np.float64).reshape(-1, 4)
    if relative:
        boxes = boxes * (*seen, *seen)
    boxes = _in_seen_pixels(image, boxes, seen, orientation, repairs)
    ordered = np.concatenate(
        [np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])], axis=1
    )
    inside = np.clip(ordered, 0, (*seen, *seen))
    sound = (inside[:, 2:] > inside[:, :2]).all(axis=1)  # (n,)
    kinds = {
        "boxes had their corners swapped and were put right": (ordered != boxes).any(axis=1)
        & sound,
        "boxes were clipped to their image": (abs(inside - ordered) > PIXELS).any(axis=1) & sound,
        "boxes without area in their image were dropped": ~sound,
    }
    for what, rows in kinds.items():
        if rows.any():
            where = f"{image.annotation.name}, {image.boxes[int(rows.argmax())].where}"
            repairs.add(what, where, int(rows.sum()))
    return inside[sound].astype(np.float32), np.flatnonzero(sound)


def turned(boxes: np.ndarray, orientation: int, stored: tuple[int, int]) -> np.ndarray:
    """Turn boxes on the `stored` pixels (width, height) as EXIF's `orientation` turns the image."""
    width, height = stored
    x, y = boxes[:, 0::2], boxes[:, 1::2]  # (n, 2) each
    new_x, new_y = {
        5: (y, x),
        6: (height - y, x),
        7: (height - y, width - x),
        8: (y, width - x),
    }[orientation]
    return np.stack([new_x, new_y], axis=2).reshape(-1, 4)


def _in_seen_pixels(
    image: LabelledImage,
    boxes: np.ndarray,
    seen: tuple[int, int],
    orientation: int,
    repairs: Repairs,
) -> np.ndarray:
    """Bring boxes from the pixels of the stated size to those that are seen."""
    stored = seen[::-1] if orientation >= 5 else seen
    name = image.annotation.name
    if orientation > 1 and (image.size is None or stored == seen) and len(boxes):
        repairs.add("images are turned by EXIF, and no stated size tells whether their boxes are; "
                    "they were taken as drawn on what a viewer shows", image.file.name)  # fmt: skip
    if image.size is None or image.size == seen:
        return boxes
    if orientation >= 5 and image.size == stored:
        repairs.add("annotations state the size of the image as stored; their boxes were turned "
                    "with it, as EXIF says", name)  # fmt: skip
        corners = turned(boxes, orientation, stored)
        return np.concatenate([np.minimum(corners[:, :2], corners[:, 2:]),
                               np.maximum(corners[:, :2], corners[:, 2:])], axis=1)  # fmt: skip
    ratio = np.array(seen) / image.size  # (2,)
    if abs(ratio[0] / ratio[1] - 1) < SHAPE:
        repairs.add("annotations state another size than their image has, of the same shape; their "
                    "boxes were scaled to it", name)  # fmt: skip
        return boxes * np.tile(ratio, 2)
    if (boxes.max(initial=0, axis=0) <= np.tile(seen, 2) + PIXELS).all():
        repairs.add("annotations state another size than their image has; their boxes lie in the "
                    "image and were kept", name)  # fmt: skip
        return boxes
    raise ValueError(
        f"{image.annotation}: it states {image.size[0]} x {image.size[1]} pixels, but "
        f"{image.file.name} has {seen[0]} x {seen[1]}, and a box reaches out of it. Correct the "
        "annotation, or put the image there that was annotated."
    )
