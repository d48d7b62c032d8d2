"""Test images with the true boxes and the found ones, from the best to the worst, evenly spaced."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from common.evaluation.examples import MOST_PIXELS, Example, Item, evenly, picture
from patterns.vision.detection.entities.images import BoxedImages
from patterns.vision.detection.figures import COLOURS, shown_classes
from patterns.vision.detection.stages.postprocess import Detections, match

LINE = 2  # pixels of a box as the page shows it


def examples(
    kept: Sequence[Detections], part: BoxedImages, names: Sequence[str], *, most: int = 6
) -> list[Example]:
    """Return images from the best to the worst by F1; `kept` are their detections."""
    quality = np.array(
        [_f1(k, b, t) for k, b, t in zip(kept, part.boxes, part.labels, strict=True)]
    )
    order = np.argsort(-quality, kind="stable")
    items = []
    for row in (int(order[place]) for place in evenly(len(order), most)):
        boxes, labels, found = part.boxes[row], part.labels[row], kept[row]
        pictures = (
            picture(f"truth: {len(boxes)}", _with_boxes(part.images[row], boxes, labels)),
            picture(
                f"found: {len(found.scores)}",
                _with_boxes(part.images[row], found.boxes, found.labels),
            ),
        )
        items.append(Item(f"F1 {quality[row]:.2f}", pictures=pictures))
    drawn = np.bincount(
        np.concatenate([*part.labels, *(each.labels for each in kept)]).astype(int),
        minlength=len(names),
    )
    legend = tuple((COLOURS[label % len(COLOURS)], names[label]) for label in shown_classes(drawn))
    caption = "Test images from the best to the worst, so that nobody picks the good ones."
    return [Example("true and found boxes", caption, tuple(items), legend)]


def _f1(found: Detections, boxes: np.ndarray, labels: np.ndarray) -> float:
    right = int((match(found, boxes, labels) >= 0).sum())
    return 2 * right / max(1, len(found.scores) + len(boxes))


def _with_boxes(pixels: np.ndarray, boxes: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Draw boxes (B, 4) x0, y0, x1, y1 in the colours of their classes."""
    from PIL import Image, ImageDraw

    image = Image.fromarray(pixels).convert("RGB")
    scale = max(max(image.size) / MOST_PIXELS, 1)
    draw = ImageDraw.Draw(image)
    for (x0, y0, x1, y1), label in zip(boxes.tolist(), labels.tolist(), strict=True):
        colour = COLOURS[int(label) % len(COLOURS)]
        ends = (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
        draw.rectangle(ends, outline=colour, width=round(LINE * scale))
    return np.asarray(image)
