"""Which objects are lost, and how well a box fits, by the size of the true box."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from common.evaluation.detection import box_iou
from common.evaluation.report import Row, Table
from patterns.vision.detection.entities.images import BoxedImages
from patterns.vision.detection.stages.postprocess import Detections, match


def by_size(kept: Sequence[Detections], part: BoxedImages) -> Table:
    """Return recall and fit by the side of the true box, in fifths of all boxes."""
    side = np.concatenate(
        [np.sqrt((boxes[:, 2:] - boxes[:, :2]).prod(axis=1)) for boxes in part.boxes]
    )
    fit = np.concatenate([_fits(*each) for each in zip(kept, part.boxes, part.labels, strict=True)])
    edges = np.quantile(side, np.linspace(0, 1, 6))
    rows = []
    for low, high in zip(edges[:-1], edges[1:], strict=True):
        inside = (side >= low) & ((side < high) | (high == edges[-1]))
        if not inside.any():
            continue
        hit = fit[inside] > 0
        values = {
            "boxes": float(inside.sum()),
            "recall": float(hit.mean()),
            "IoU of the found": float(fit[inside][hit].mean()) if hit.any() else None,
        }
        rows.append(Row(f"{low:.0f} – {high:.0f} px", values))
    caption = "True boxes in fifths by their side (root of the area): small ones are lost first."
    return Table("by size", ("boxes", "recall", "IoU of the found"), tuple(rows), caption)


def _fits(found: Detections, boxes: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the IoU of each true box (m,) with the detection that claims it, 0 for none."""
    claimed = match(found, boxes, labels)
    fit = np.zeros(len(boxes))
    hits = np.flatnonzero(claimed >= 0)
    overlaps = box_iou(found.boxes.reshape(-1, 4), boxes.reshape(-1, 4))
    fit[claimed[hits]] = overlaps[hits, claimed[hits]]
    return fit
