"""Pascal VOC: an .xml file an image, in Annotations/ or beside it, and lists in ImageSets/Main/.

Lists hold a name a line, with or without ending. Those of one class (cat_train.txt) are not read.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from common.own_files import FolderOptions
from data.files.boxes.labelled import Labelled, LabelledBox, LabelledImage, say_absent
from data.files.boxes.places import (
    ImageFiles,
    Place,
    files_below,
    list_folders,
    places,
)
from data.files.boxes.table import detection_table
from data.files.faults import FaultsOfFolder
from data.files.folders import checked_folder, inside
from data.files.layouts import check_layout
from data.files.lists import entry, lists_in, rows_of
from data.files.repairs import Repairs
from data.tables import DetectionImages
from data.voc import VocAnnotation, voc_annotation


def detection_from_voc(
    path: str | Path,
    own: FolderOptions | None = None,
    *,
    seed: int = 0,
) -> DetectionImages:
    """Read Pascal VOC, from the folders that `own` gives if their names are not the usual.

    Its `train`, `valid` and `test` name lists of images in place of ImageSets/Main/.
    """
    own, root = own or FolderOptions(), checked_folder(Path(path))
    found, notices = places(root, ".xml", own)
    if not found:
        check_layout(root, "voc")
        where = inside(root, own.labels) if own.labels else root
        raise ValueError(f"{where}: no .xml file in it. Each image needs one.")
    faults, repairs, content = FaultsOfFolder(), Repairs(), Labelled(notices=notices)
    names: dict[str, int] = {}
    for place in found:
        for name, image in _read_place(place, faults, repairs, content):
            row = content.add(image, place.part)
            names.setdefault(name, row)
            names.setdefault(image.file.stem, row)
    lists = {part: inside(root, each) for part, each in own.by_part.items()}
    lists = lists or lists_in(list_folders(root))
    if lists:
        _take_lists(content, lists, names, faults)
    content.notices += repairs.sentences()
    return detection_table(root, content, faults, own, seed=seed)


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
        for number, line in rows_of(path):
            row = entry(line, names)
            if row is not None:
                content.given.setdefault(part, []).append(row)
            else:
                faults.add(
                    f"{path}, row {number}: {line!r} has no annotation. Add one, or remove it from "
                    "the list."
                )
    listed = {row for part in content.given.values() for row in part}
    left = len(content.images) - len(listed)
    if left:
        where = ", ".join(path.name for path in lists.values())
        content.notices.append(f"{left:,} annotated images are in none of {where} and were left "
                               "out.")  # fmt: skip
