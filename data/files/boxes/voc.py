"""Pascal VOC: an .xml file an image, in Annotations/ or beside it, and lists in ImageSets/Main/.

Lists hold a name a line, with or without ending. Those of one class (cat_train.txt) are not read.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from data.files.boxes.labelled import Labelled, LabelledBox, LabelledImage, say_absent
from data.files.boxes.places import (
    ImageFiles,
    Place,
    files_below,
    inside,
    lists_in,
    places,
)
from data.files.boxes.repairs import Repairs
from data.files.boxes.table import detection_table
from data.files.faults import FaultsOfFolder
from data.files.folders import checked_folder
from data.files.layouts import check_layout
from data.tables import DetectionImages
from data.voc import VocAnnotation, voc_annotation


def detection_from_voc(
    path: str | Path,
    *,
    images: Path | None = None,
    labels: Path | None = None,
    train: Path | None = None,
    valid: Path | None = None,
    test: Path | None = None,
    group: str | None = None,
    seed: int = 0,
) -> DetectionImages:
    """Read Pascal VOC, from the folders `images` and `labels` if their names are not the usual.

    `train`, `valid` and `test` name lists of images in place of ImageSets/Main/; `group` tells
    which images belong together (`groups_by_name`).
    """
    root = checked_folder(Path(path))
    found, notices = places(root, ".xml", images=images, labels=labels)
    if not found:
        check_layout(root, "voc")
        where = inside(root, labels) if labels else root
        raise ValueError(f"{where}: no .xml file in it. Each image needs one.")
    faults, repairs, content = FaultsOfFolder(), Repairs(), Labelled(notices=notices)
    names: dict[str, int] = {}
    for place in found:
        for name, image in _read_place(place, faults, repairs, content):
            row = content.add(image, place.part)
            names.setdefault(name, row)
            names.setdefault(image.file.stem, row)
    own = {"train": train, "valid": valid, "test": test}
    lists = {part: inside(root, each) for part, each in own.items() if each is not None}
    lists = lists or lists_in(root)
    if lists:
        _take_lists(content, lists, names, faults)
    content.notices += repairs.sentences()
    return detection_table(root, content, faults, group=group, seed=seed)


def _read_place(
    place: Place, faults: FaultsOfFolder, repairs: Repairs, content: Labelled
) -> list[tuple[str, LabelledImage]]:
    """Return names with labelled images; images and annotations without the other are said."""
    files, paths = ImageFiles(place.images), list(files_below(place.labels, (".xml",)))
    found: list[tuple[str, LabelledImage]] = []
    annotated: dict[Path, Path] = {}
    absent = []
    for path in paths:
        name = path.relative_to(place.labels).with_suffix("").as_posix()
        with faults.kept():
            annotation = voc_annotation(path.read_bytes(), name=str(path))
            file = _image_of(annotation, name, path, files, repairs)
            if file is None:
                absent.append(f"{name} (of {path.name})")
                continue
            if file in annotated:
                raise ValueError(
                    f"{path}: {annotated[file].name} is of the same image, {file.name}. Remove one."
                )
            annotated[file] = path
            found.append((name, _labelled(annotation, path, file)))
    with faults.kept():
        content.notices += say_absent(absent, len(paths), place.labels, place.images)
    left = len(files.files) - len(annotated)
    if left:
        content.notices.append(
            f"{left:,} images in {place.images} have no .xml file and were left out; one without "
            "objects would mark an image as empty."
        )
    return found


def _image_of(
    annotation: VocAnnotation, name: str, path: Path, files: ImageFiles, repairs: Repairs
) -> Path | None:
    """Find the image by the annotation's own name, else by the <filename> in it."""
    inner = annotation.filename.replace("\\", "/").rpartition("/")[2]
    own = files.find(name) or files.find(path.stem)
    if own is None:
        return files.find(inner) or files.find(inner.rpartition(".")[0])
    if inner != own.name and files.by_name.get(inner):
        repairs.add("annotations have the name of one image and another in <filename>; the image "
                    "of their own name was taken", path.name)  # fmt: skip
    return own


def _labelled(annotation: VocAnnotation, path: Path, file: Path) -> LabelledImage:
    boxes = tuple(
        LabelledBox(each.label, each.corners, f"object {number}", each.difficult)
        for number, each in enumerate(annotation.objects, start=1)
    )
    return LabelledImage(file, path, boxes, annotation.size)


def _take_lists(
    content: Labelled, lists: Mapping[str, Path], names: Mapping[str, int], faults: FaultsOfFolder
) -> None:
    """Take the split from lists of names; images in none of them are said."""
    content.given.clear()
    for part, path in lists.items():
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, ValueError) as error:
            raise ValueError(f"{path}: not a readable list ({error}). Save it as UTF-8.") from error
        for number, line in enumerate(lines, start=1):
            name = line.strip().replace("\\", "/").rpartition("/")[2]
            row = names.get(line.strip(), names.get(name, names.get(name.rpartition(".")[0])))
            if row is not None:
                content.given.setdefault(part, []).append(row)
            elif name:
                faults.add(
                    f"{path}, row {number}: {line.strip()!r} has no annotation. Add one, or remove "
                    "it from the list."
                )
    listed = {row for part in content.given.values() for row in part}
    left = len(content.images) - len(listed)
    if left:
        where = ", ".join(path.name for path in lists.values())
        content.notices.append(f"{left:,} annotated images are in none of {where} and were left "
                               "out.")  # fmt: skip
