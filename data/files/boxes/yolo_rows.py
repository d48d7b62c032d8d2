"""The rows of a YOLO label file: boxes, or outlines of objects, which are boxed.

class x y w h                          a box: centre and size
class x y w h score                    refused: a prediction, not a label
class x1 y1 x2 y2 x3 y3 …              an outline of three points or more
class x y w h  x1 y1 …                 a pose, if data.yaml has kpt_shape: the box is taken
"""

from __future__ import annotations

import math
from pathlib import Path

from data.files.boxes.labelled import LabelledBox
from data.files.boxes.yolo_names import Description
from data.files.faults import FaultsOfFolder
from data.files.repairs import Repairs

REACH = 0.01  # by which a share may lie outside 0 to 1, as rounding leaves it


def read_rows(
    path: Path, description: Description, faults: FaultsOfFolder, repairs: Repairs
) -> tuple[LabelledBox, ...]:
    """Read one file; a wrong row is kept in `faults`."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except ValueError as error:
        faults.add(f"{path}: not a text ({error}). Save it as UTF-8.")
        return ()
    boxes = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            with faults.kept():
                boxes.append(_box(line.split(), f"{path}, row {number}", description))
                if len(line.split()) > 5 and not description.pose:
                    repairs.add("outlines of objects were boxed", f"{path.name}, row {number}")
    return tuple(boxes)


def _box(cells: list[str], place: str, description: Description) -> LabelledBox:
    """Convert one row."""
    try:
        values = [float(cell) for cell in cells]
    except ValueError:
        raise ValueError(f"{place}: {' '.join(cells)[:60]!r} is not a class number and shares of "
                         "the image. Correct it.") from None  # fmt: skip
    values = values[:5] if description.pose else values
    if len(values) == 6:
        raise ValueError(f"{place}: six columns, so the last is a score and these are predictions, "
                         "not labels. Remove it if they are to be learned.")  # fmt: skip
    if len(values) < 5 or len(values) % 2 == 0:
        raise ValueError(f"{place}: {len(values)} columns. A box has five: class, centre x, "
                         "centre y, width, height.")  # fmt: skip
    outside = [value for value in values[1:] if not -REACH <= value <= 1 + REACH]
    if outside:
        raise ValueError(f"{place}: {outside[0]:g} is not between 0 and 1. Divide x and width by "
                         "the image's width, y and height by its height.")  # fmt: skip
    label = _label(values[0], cells[0], place, description)
    if len(values) == 5:
        x, y, width, height = values[1:]
        corners = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    else:
        x_s, y_s = values[1::2], values[2::2]
        corners = (min(x_s), min(y_s), max(x_s), max(y_s))
    return LabelledBox(label, corners, place.rpartition(", ")[2])


def _label(value: float, cell: str, place: str, description: Description) -> str:
    """Return the name of a class number."""
    if not math.isfinite(value) or value < 0 or value != int(value):
        raise ValueError(f"{place}: the class is {cell!r}, not a whole number from 0. Correct it.")
    if description.classes is None:
        return f"class {int(value)}"
    if int(value) not in description.classes:
        raise ValueError(
            f"{place}: the class is {cell!r}, but only {len(description.classes)} are named, from "
            f"{min(description.classes)}. Name it, or correct the row."
        )
    return description.classes[int(value)]
