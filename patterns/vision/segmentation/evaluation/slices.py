"""Where the mean hides a failure: by modality, and by how full an image is."""

from __future__ import annotations

import numpy as np

from common.evaluation.report import Row, Table
from patterns.vision.segmentation.entities.images import MaskedImages
from patterns.vision.segmentation.evaluation.accuracy import estimate
from patterns.vision.segmentation.evaluation.found import Found, count_objects

COLUMNS = ("otsu IoU", "IoU", "IoU gained", "worst IoU", "objects found", "images")


def by_slice(test: MaskedImages, base: Found, final: Found, *, seed: int) -> Table:
    """Slice by modality and by how many objects an image holds."""
    gained = final.iou - base.iou
    true = count_objects(test.masks)
    kinds = np.array(test.kinds)
    slices = {f"{kind} images": kinds == kind for kind in np.unique(kinds)}
    low, high = np.quantile(true, [1 / 3, 2 / 3])
    slices |= {
        f"few objects (up to {low:.0f})": true <= low,
        "a middling number": (true > low) & (true <= high),
        f"many objects (above {high:.0f})": true > high,
    }
    rows = [
        Row(
            name,
            {
                "otsu IoU": float(base.iou[chosen].mean()),
                "IoU": float(final.iou[chosen].mean()),
                "IoU gained": estimate(gained[chosen], test.groups[chosen], seed),
                "worst IoU": float(final.iou[chosen].min()),
                "objects found": float(final.objects[chosen].mean()),
                "images": float(chosen.sum()),
            },
        )
        for name, chosen in slices.items()
        if chosen.any()
    ]
    caption = "Test images by modality and by content; what is gained is paired."
    return Table("by slice", COLUMNS, tuple(rows), caption)
