"""COCO: a .json file a part, with "images", "annotations" and "categories".

    annotations/instances_train2017.json + train2017/     as the data set itself
    train/_annotations.coco.json beside its images        as Roboflow exports it
    annotations.json + images/                            one file, its split is drawn

Classes are told by name, so ids are free and can differ from file to file; `bbox` is x, y, width
and height in pixels. `iscrowd` marks many objects at once, which are not counted.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from common.own_files import FolderOptions
from data.files.boxes.labelled import Labelled, LabelledBox, LabelledImage, say_absent
from data.files.boxes.places import ImageFiles, files_below
from data.files.boxes.table import detection_table
from data.files.faults import FaultsOfFolder
from data.files.folders import has_images, inside
from data.files.layouts import check_layout
from data.files.part_names import part_in
from data.tables import DetectionImages

KEYS = ("images", "annotations", "categories")
FEWEST_TO_TELL = 5  # boxes from which corners can be told from sizes


def detection_from_coco(
    path: str | Path,
    own: FolderOptions | None = None,
    *,
    seed: int = 0,
) -> DetectionImages:
    """Read COCO from a folder, or from one .json file.

    Of `own`, `labels` is the folder or file of the .json, and `train`, `valid` and `test` name them
    one by one; `images` is the folder that their "file_name" starts from.
    """
    own, root = own or FolderOptions(), Path(path)
    if not root.exists():
        raise ValueError(f"{root}: no such file or folder. Name an existing one.")
    folder = root.parent if root.is_file() else root
    if not has_images(folder) and folder.name.lower() == "annotations":
        folder = folder.parent  # annotations/instances_train2017.json, its images in train2017/
    by_part: dict[str | None, Path] = {
        part: inside(folder, file) for part, file in own.by_part.items()
    }
    by_part = by_part or _found(inside(folder, own.labels) if own.labels else root)
    files = ImageFiles(inside(folder, own.images) if own.images else folder)
    faults, found = FaultsOfFolder(), Labelled()
    for part, file in by_part.items():
        _read_part(file, part, files, faults, found, beside=own.images is None)
    left = len(files.files) - len(found.images)
    if left:
        found.notices.append(
            f"{left:,} images in {files.folder} are in no .json file and were left out."
        )
    json_files = tuple(by_part.values())
    return detection_table(folder, found, faults, own, seed=seed, files=json_files)


def _found(where: Path) -> dict[str | None, Path]:
    """Find the .json file of each part; a single one has no part."""
    if where.is_file():
        return {None: where}
    files = [file for file in files_below(where, (".json",)) if _has_lists(file)]
    files = [file for file in files if file.name.startswith("instances_")] or files
    if not files:
        check_layout(where, "coco")
        raise ValueError(f"{where}: no .json file with the lists {', '.join(KEYS)} in it.")
    if len(files) == 1:
        return {None: files[0]}
    parts = [part_in(file.stem) or part_in(file.parent.name) for file in files]
    if None in parts or len(set(parts)) < len(parts):
        listed = ", ".join(str(file.relative_to(where)) for file in files)
        raise ValueError(
            f"{where}: several .json files ({listed}), whose names do not tell one as train, val "
            "and test each. Give them by --data.train, --data.valid and --data.test, or one as "
            "--data.path."
        )
    return dict(zip(parts, files, strict=True))


def _has_lists(file: Path) -> bool:
    text = file.read_bytes()
    return b'"images"' in text and b'"annotations"' in text


def _read_part(
    file: Path,
    part: str | None,
    files: ImageFiles,
    faults: FaultsOfFolder,
    found: Labelled,
    *,
    beside: bool,
) -> None:
    """Add the images of one .json file."""
    content = _content(file)
    classes = _by_id(content, "categories", "name", file)
    names = _by_id(content, "images", "file_name", file)
    found.classes |= {str(row["name"]) for row in classes.values()}
    boxes: dict[Any, list[LabelledBox]] = {key: [] for key in names}
    for number, row in enumerate(content["annotations"], start=1):
        with faults.kept():
            boxes[_known(row, "image_id", names, file, number)].append(
                _box(row, classes, file, number)
            )
    _check_sizes(file, names, boxes)
    absent = []
    for key, row in names.items():
        with faults.kept():
            image = _image(str(row["file_name"]), file, part, files, beside=beside)
            if image is None:
                absent.append(str(row["file_name"]))
            else:
                found.add(LabelledImage(image, file, tuple(boxes[key]), _size(row)), part)
    with faults.kept():
        found.notices += say_absent(absent, len(names), file, files.folder)


def _content(file: Path) -> dict[str, Any]:
    """Read a file, or say why it is not COCO."""
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(
            f"{file}: not a readable .json file ({error}). Export it again."
        ) from error
    lists = content if isinstance(content, dict) else {}
    absent = [key for key in KEYS if not isinstance(lists.get(key), list)]
    if absent:
        raise ValueError(
            f"{file}: not COCO, it has no list {absent[0]!r}. Export it as COCO with the lists "
            f"{', '.join(KEYS)}."
        )
    return lists


def _by_id(content: Mapping[str, Any], key: str, field: str, file: Path) -> dict[Any, Any]:
    """Return the rows of a list by their id, each with `field`."""
    rows: dict[Any, Any] = {}
    for number, row in enumerate(content[key], start=1):
        if (
            not isinstance(row, dict)
            or row.get("id") is None
            or not str(row.get(field, "")).strip()
        ):
            raise ValueError(f"{file}: entry {number} of {key} has no id or no {field}. Add it.")
        if str(row["id"]) in rows:
            raise ValueError(f"{file}: two {key} have the id {row['id']!r}. Give each its own.")
        rows[str(row["id"])] = row
    return rows


def _known(row: Any, key: str, known: Mapping[str, Any], file: Path, number: int) -> str:
    """Return the id in an annotation that stands in `known`."""
    value = row.get(key) if isinstance(row, dict) else None
    if str(value) not in known:
        listed = {"image_id": "images", "category_id": "categories"}[key]
        raise ValueError(
            f"{file}, {_where(row, number)}: {key} is {value!r}, which is not in {listed!r}. "
            "Correct it, or remove the annotation."
        )
    return str(value)


def _box(row: Any, classes: Mapping[str, Any], file: Path, number: int) -> LabelledBox:
    """Convert one annotation."""
    label = str(classes[_known(row, "category_id", classes, file, number)]["name"]).strip()
    where = _where(row, number)
    try:
        x, y, width, height = (float(value) for value in row["bbox"])
    except (KeyError, TypeError, ValueError):
        x = math.nan
    if not (math.isfinite(x) and all(map(math.isfinite, (y, width, height)))):
        raise ValueError(
            f"{file}, {where}: bbox is {row.get('bbox')!r}, not four numbers x, y, width and "
            "height in pixels. Correct it, or remove the annotation."
        )
    ignored = bool(row.get("iscrowd")) or bool(row.get("ignore"))
    return LabelledBox(label, (x, y, x + width, y + height), where, ignored)


def _where(row: Any, number: int) -> str:
    own = row.get("id") if isinstance(row, dict) else None
    return f"annotation {number}" if own is None else f"annotation of id {own!r}"


def _size(row: Mapping[str, Any]) -> tuple[int, int] | None:
    width, height = row.get("width"), row.get("height")
    if isinstance(width, int) and isinstance(height, int) and width > 0 and height > 0:
        return width, height
    return None


def _check_sizes(
    file: Path, names: Mapping[str, Any], boxes: Mapping[str, list[LabelledBox]]
) -> None:
    """Raise if the boxes fit their images as x0, y0, x1, y1 only, not as x, y, width, height."""
    sized = [(box.corners, _size(names[key])) for key, inner in boxes.items() for box in inner]
    known = [(corners, size) for corners, size in sized if size is not None]
    outside = sum(x1 > w + 1 or y1 > h + 1 for (_, _, x1, y1), (w, h) in known)
    ends = [(x1 - x0, y1 - y0, *size) for (x0, y0, x1, y1), size in known]
    starts = [corners[:2] for corners, _ in known]
    are_corners = all(
        x < end_x <= w + 1 and y < end_y <= h + 1
        for (x, y), (end_x, end_y, w, h) in zip(starts, ends, strict=True)
    )
    if len(known) >= FEWEST_TO_TELL and outside > 0.1 * len(known) and are_corners:
        raise ValueError(
            f"{file}: read as x, y, width and height, {outside:,} of {len(known):,} bbox reach out "
            "of their image, as x0, y0, x1, y1 none does. Write widths and heights, as COCO does."
        )


def _image(
    name: str, file: Path, part: str | None, files: ImageFiles, *, beside: bool
) -> Path | None:
    """Find an image beside the .json file or in the folder, of several of its name by the part."""
    name = name.replace("\\", "/")
    if beside and (file.parent / name).is_file():
        return file.parent / name
    bare = name.rpartition("/")[2]
    found = files.by_name.get(name) or files.by_name.get(bare, [])
    part = part or part_in(file.stem)
    own = [each for each in found if part and part_in(each.parent.name) == part]
    if len(own or found) > 1:
        raise ValueError(
            f"{file}: {name!r} can be {found[0]} or {found[1]}. Name the folder by --data.images."
        )
    return next(iter(own or found), None)
