"""Pascal-VOC annotations: one XML file an image, one `object` a box.

Shared by the BCCD reader and the reader of a user's own folder. Coordinates are kept as written
(corners in pixels), without the shift by one that the original toolkit makes.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

import numpy as np

_CORNERS = ("xmin", "ymin", "xmax", "ymax")


def parse_voc(
    annotation: bytes, *, label_names: Sequence[str], name: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return boxes (n, 4) float32 and labels (n,) int64; malformed input raises, naming `name`."""
    boxes, labels = [], []
    for label, corners in voc_objects(annotation, name=name):
        if label not in label_names:
            raise ValueError(
                f"{name}: object {label!r} is not one of {', '.join(label_names)}. "
                "Correct the annotation or name the class."
            )
        boxes.append(corners)
        labels.append(label_names.index(label))
    return (
        np.array(boxes, dtype=np.float32).reshape(-1, 4),
        np.array(labels, dtype=np.int64),
    )


def voc_objects(annotation: bytes, *, name: str) -> list[tuple[str, list[float]]]:
    """Return each object's class and corners."""
    if b"<!ENTITY" in annotation:  # an entity can expand without bound; no annotation needs one
        raise ValueError(f"{name}: the XML declares entities; remove the declaration.")
    try:
        root = ElementTree.fromstring(annotation)
        return [_object(element) for element in root.iter("object")]
    except (ElementTree.ParseError, ValueError) as error:
        raise ValueError(
            f"{name}: not a Pascal-VOC annotation ({error}). Each object needs a name and a bndbox "
            "with xmin, ymin, xmax and ymax."
        ) from error


def _object(element: ElementTree.Element) -> tuple[str, list[float]]:
    label = str(element.findtext("name", "")).strip()
    corners = [float(element.findtext(f"bndbox/{corner}", "")) for corner in _CORNERS]
    if not label:
        raise ValueError("an object without a name")
    if not np.isfinite(corners).all():
        raise ValueError(f"the box {corners} is not finite")
    return label, corners
