"""Test images beside their true masks, the baseline's and ours.

Of objects: from the worst image to the best, with outlines; of classes: at even steps, coloured.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from common.evaluation.examples import Example, Item, evenly, picture
from patterns.vision.segmentation.entities.images import MaskedImages
from patterns.vision.segmentation.evaluation import classes
from patterns.vision.segmentation.evaluation.found import Found, count_objects
from patterns.vision.segmentation.figures import coloured, outlined


def of_objects(test: MaskedImages, base: Found, final: Found, *, most: int = 5) -> Example:
    """Return images from the worst to the best with the outlines of their objects."""
    order = np.argsort(final.iou, kind="stable")
    items = []
    for row in (int(order[place]) for place in evenly(len(order), most)):
        image, truth = test.images[row], test.masks[row]
        pictures = (
            picture("image", image),
            picture(f"truth: {count_objects([truth])[0]}", outlined(image, truth)),
            picture(
                f"otsu: {base.counts[row]}, IoU {base.iou[row]:.2f}",
                outlined(image, base.labels[row]),
            ),
            picture(f"ours: {final.counts[row]}", outlined(image, final.labels[row])),
        )
        items.append(Item(f"IoU {final.iou[row]:.2f}", pictures=pictures))
    caption = "From the worst test image to the best; outlines and numbers of separated objects."
    return Example("images and objects", caption, tuple(items))


def of_classes(
    names: Sequence[str], test: MaskedImages, base: classes.Found, final: classes.Found
) -> Example:
    """Return some images with the true classes, the baseline's and ours."""
    items = tuple(
        Item(
            f"image {row + 1} of {len(test):,}",
            pictures=(
                picture("image", test.images[row]),
                picture("truth", coloured(test.masks[row], len(names))),
                picture("place and colour", coloured(base.maps[row], len(names))),
                picture("ours", coloured(final.maps[row], len(names))),
            ),
        )
        for row in sorted(final.maps)
    )
    colours = coloured(np.arange(len(names))[None], len(names))[0].tolist()
    legend = [(f"rgb({r}, {g}, {b})", name) for (r, g, b), name in zip(colours, names, strict=True)]
    caption = "Test images at even steps; black is unlabelled and counts nowhere."
    return Example("images and classes", caption, items, tuple(legend))
