"""Pascal-VOC annotations: one XML file an image, one `object` a box.

Shared by the BCCD reader and the reader of a user's own folder. Coordinates are kept as written
(corners in pixels), without the shift by one that the original toolkit makes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np

_CORNERS = ("xmin", "ymin", "xmax", "ymax")


@dataclass(frozen=True)
class VocObject:
    """One box."""

    label: str
    corners: list[float]
    """xmin, ymin, xmax, ymax."""
    difficult: bool


@dataclass(frozen=True)
class VocAnnotation:
    """What one file says."""

    filename: str
    """The image's name, empty where none is given."""
    size: tuple[int, int] | None
    """Width and height; None where they are not given, or 0."""
    objects: tuple[VocObject, ...]


def parse_voc(
    annotation: bytes, *, label_names: Sequence[str], name: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return boxes (n, 4) float32 and labels (n,) int64; malformed input raises, naming `name`."""
    boxes, labels = [], []
    for found in voc_annotation(annotation, name=name).objects:
        if found.label not in label_names:
            raise ValueError(
                f"{name}: object {found.label!r} is not one of {', '.join(label_names)}. "
                "Correct the annotation or name the class."
            )
        boxes.append(found.corners)
        labels.append(label_names.index(found.label))
    return (
        np.array(boxes, dtype=np.float32).reshape(-1, 4),
        np.array(labels, dtype=np.int64),
    )


def voc_annotation(annotation: bytes, *, name: str) -> VocAnnotation:
    """Read one file; what is wrong in it raises, naming `name` and the object."""
    if b"<!ENTITY" in annotation:  # an entity can expand without bound; no annotation needs one
        raise ValueError(f"{name}: the XML declares entities; remove the declaration.")
    try:
        root = ElementTree.fromstring(annotation)
        if root.tag != "annotation":
            raise ValueError(f"its root is <{root.tag}>, not <annotation>")
        objects = tuple(
            _object(element, number) for number, element in enumerate(root.iter("object"), start=1)
        )
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise ValueError(
            f"{name}: not a Pascal-VOC annotation ({error}). Each object needs a name and a bndbox "
            "with xmin, ymin, xmax and ymax."
        ) from error
    filename = str(root.findtext("filename", "")).strip()
    return VocAnnotation(filename, _size(root), objects)


def _object(element: ElementTree.Element, number: int) -> VocObject:
    label = str(element.findtext("name", "")).strip()
    if not label:
        raise ValueError(f"object {number} is an object without a name")
    corners = []
    for corner in _CORNERS:
        text = element.findtext(f"bndbox/{corner}")
        try:
            corners.append(float(text or ""))
        except ValueError:
            raise ValueError(f"object {number}: {corner} is {text!r}, not a number") from None
    if not np.isfinite(corners).all():
        raise ValueError(f"object {number}: the box {corners} is not finite")
    difficult = str(element.findtext("difficult", "0")).strip().lower() in ("1", "true", "yes")
    return VocObject(label, corners, difficult)


def _size(root: ElementTree.Element) -> tuple[int, int] | None:
    try:
        width, height = (
            int(float(root.findtext(f"size/{side}", "0"))) for side in ("width", "height")
        )
    except ValueError:
        return None
    return (width, height) if width > 0 and height > 0 else None
