"""YOLO: a .txt file an image, a row a box: class number, centre x, centre y, width, height.

    images/train/a.jpg + labels/train/a.txt      train/images/a.jpg + train/labels/a.txt
    images/a.jpg + labels/a.txt                  a.jpg + a.txt, with train.txt to list them

All but the class are shares of the image's sides. Names of the classes, and of the parts where they
are not found by the folders' names, stand in data.yaml; else classes.txt or a .names file has the
former. An image without a .txt file holds no object.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from common.images import SUFFIXES
from common.own_files import FolderOptions
from data.files.boxes.labelled import Labelled, LabelledBox, LabelledImage, say_absent
from data.files.boxes.places import (
    IMAGES,
    LABELS,
    ImageFiles,
    files_below,
    list_folders,
    places,
)
from data.files.boxes.table import detection_table
from data.files.boxes.yolo_names import Description, described
from data.files.boxes.yolo_rows import read_rows
from data.files.faults import FaultsOfFolder
from data.files.folders import checked_folder, inside, named
from data.files.layouts import check_layout
from data.files.lists import lists_in, rows_of
from data.files.repairs import Repairs
from data.tables import DetectionImages

Pair = tuple[Path, Path]  # an image and its label file, which need not be there


def detection_from_yolo(
    path: str | Path,
    own: FolderOptions | None = None,
    *,
    seed: int = 0,
) -> DetectionImages:
    """Read YOLO from a folder, or from its data.yaml.

    `own` gives the folders if their names are not the usual; its `train`, `valid` and `test` name
    folders of images, or lists of them in a .txt file.
    """
    own, path = own or FolderOptions(), Path(path)
    root = path.parent if path.is_file() else checked_folder(path)
    description = described(path, root)
    found = Labelled(relative=True, notices=list(description.notices))
    found.classes |= set((description.classes or {}).values())
    sources: dict[str | None, list[Path]] = {
        part: [inside(root, each)] for part, each in own.by_part.items()
    }
    if not sources and own.images is None and own.labels is None:
        lists = lists_in(list_folders(root))
        sources = dict(description.parts.items()) or {part: [lists[part]] for part in lists}
    if sources:
        pairs = {part: list(_from_sources(each, root)) for part, each in sources.items()}
    else:
        pairs = _from_folders(root, own, found)
    if not any(label.is_file() for each in pairs.values() for _, label in each):
        check_layout(root, "yolo")
        raise ValueError(f"{root}: no .txt file of the name of an image. Each image needs one.")
    faults = FaultsOfFolder()
    _read(pairs, description, faults, found)
    return detection_table(root, found, faults, own, seed=seed)


def _read(
    pairs: Mapping[str | None, Sequence[Pair]],
    description: Description,
    faults: FaultsOfFolder,
    found: Labelled,
) -> None:
    """Add all images with the rows of their label files."""
    empty, repairs = 0, Repairs()
    for part, each in pairs.items():
        for image, label in each:
            boxes: tuple[LabelledBox, ...] = ()
            if label.is_file():
                boxes = read_rows(label, description, faults, repairs)
            else:
                empty += 1
            found.add(LabelledImage(image, label, boxes), part)
    if empty:
        found.notices.append(f"{empty:,} images have no .txt file and count as images without an "
                             "object.")  # fmt: skip
    if description.classes is None:
        found.notices.append("Nothing names the classes: they are called class 0, class 1 and so "
                             "on. Write their names into classes.txt, one a line.")  # fmt: skip
    found.notices += repairs.sentences()


def _from_folders(root: Path, own: FolderOptions, found: Labelled) -> dict[str | None, list[Pair]]:
    """Pair images and label files by the usual folders, or those given."""
    where, said = places(root, ".txt", own)
    found.notices += said
    pairs: dict[str | None, list[Pair]] = {}
    for place in where:
        paired = [
            (image, (place.labels / image.relative_to(place.images)).with_suffix(".txt"))
            for image in files_below(place.images, SUFFIXES)
        ]
        pairs.setdefault(place.part, []).extend(paired)
        if place.labels != place.images:
            files = [each for each in files_below(place.labels, (".txt",)) if _is_label(each)]
            used = {label for _, label in paired}
            absent = [file.stem for file in files if file not in used]
            found.notices += say_absent(absent, len(files), place.labels, place.images)
    return pairs


def _is_label(file: Path) -> bool:
    return file.stem.lower() not in ("classes", "labels", "obj", "readme", "notes", "train", "val")


def _from_sources(sources: Sequence[Path], root: Path) -> Iterator[Pair]:
    """Yield the images of folders and lists, each with its label file."""
    labels: dict[Path, Path] = {}
    for source in sources:
        of_folder = source.is_dir()
        for image in files_below(source, SUFFIXES) if of_folder else _images_of_list(source, root):
            if image.parent not in labels:
                labels[image.parent] = _labels_folder(image.parent)
            yield image, labels[image.parent] / f"{image.stem}.txt"


def _images_of_list(path: Path, root: Path) -> Iterator[Path]:
    """Yield the images of a list, a path a line; those not there raise together."""
    files, faults = ImageFiles(root), FaultsOfFolder()
    for number, line in rows_of(path):
        name = line.replace("\\", "/")
        there = [each for each in (path.parent / name, root / name) if each.is_file()]
        with faults.kept():
            image = there[0] if there else files.find(name.rpartition("/")[2])
            if image is None:
                raise ValueError(f"{path}, row {number}: no image {name!r}. Put it there, or "
                                 "remove the row.")  # fmt: skip
            yield image
    faults.check()


def _labels_folder(images: Path) -> Path:
    """Return where labels lie: below labels/ if the images are below images/, else beside them."""
    for at in range(len(images.parts) - 1, 0, -1):
        if images.parts[at].lower() in IMAGES:
            own = next(named(Path(*images.parts[:at]), LABELS), None)
            if own is not None:
                return own.joinpath(*images.parts[at + 1 :])
    return images
