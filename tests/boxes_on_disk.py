"""Images with boxes written to disk as VOC, COCO or YOLO, for tests of their readers."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

Box = tuple[str, float, float, float, float]  # class, then corners in pixels


def save(path: Path, *, size: tuple[int, int] = (40, 30), seed: int = 0, **options: Any) -> None:
    """Write an image of noise; `size` is width and height."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (*size[::-1], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, **options)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def voc(
    *boxes: Box, size: tuple[int, int] | None = None, filename: str = "", extra: str = ""
) -> str:
    """Return an annotation; `extra` goes into each object."""
    objects = "".join(
        f"<object><name>{name}</name>{extra}<bndbox><xmin>{x0}</xmin><ymin>{y0}</ymin>"
        f"<xmax>{x1}</xmax><ymax>{y1}</ymax></bndbox></object>"
        for name, x0, y0, x1, y1 in boxes
    )
    sized = f"<size><width>{size[0]}</width><height>{size[1]}</height></size>" if size else ""
    return f"<annotation><filename>{filename}</filename>{sized}{objects}</annotation>"


def coco(
    images: Sequence[str],
    boxes: Sequence[Sequence[Box]],
    *,
    size: tuple[int, int] = (40, 30),
    first: int = 1,
    **extra: Any,
) -> dict[str, Any]:
    """Return the content of a .json file; `extra` goes into each annotation."""
    names = sorted({box[0] for inner in boxes for box in inner})
    annotations = [
        {
            "id": 100 * row + number,
            "image_id": first + 2 * row,
            "category_id": 7 * names.index(name) + 3,
            "bbox": [x0, y0, x1 - x0, y1 - y0],
            "iscrowd": 0,
            **extra,
        }
        for row, inner in enumerate(boxes)
        for number, (name, x0, y0, x1, y1) in enumerate(inner)
    ]
    listed = [
        {"id": first + 2 * row, "file_name": name, "width": size[0], "height": size[1]}
        for row, name in enumerate(images)
    ]
    categories = [{"id": 7 * number + 3, "name": name} for number, name in enumerate(names)]
    return {"images": listed, "annotations": annotations, "categories": categories}


def write_coco(path: Path, content: dict[str, Any]) -> None:
    write(path, json.dumps(content))


def yolo(boxes: Sequence[Box], names: Sequence[str], *, size: tuple[int, int] = (40, 30)) -> str:
    """Return the rows of a label file."""
    width, height = size
    return "".join(
        f"{names.index(name)} {(x0 + x1) / 2 / width!r} {(y0 + y1) / 2 / height!r} "
        f"{(x1 - x0) / width!r} {(y1 - y0) / height!r}\n"
        for name, x0, y0, x1, y1 in boxes
    )


def names_in(table: Any, part: str) -> list[str]:
    """Return the names of the images of a part, without endings."""
    return [Path(table.images.names[row]).stem for row in table.split[part]]
