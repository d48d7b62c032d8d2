"""Where images and their annotations lie: the usual folders under any of their usual names.

    images/ + labels/              JPEGImages/ + Annotations/         one pool
    images/train/ + labels/train/  train/images/ + train/labels/      a folder a part
    train/a.jpg + train/a.xml      a.jpg + a.txt                      side by side

Names match whatever their case. Hidden files, as ._a.xml of a Mac, are no data.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from common.images import SUFFIXES
from common.own_files import FolderOptions
from data.files.folders import checked_folder, entered, folders, inside, named, walk
from data.files.part_names import part_in, part_of

IMAGES = ("jpegimages", "images", "image", "imgs", "img", "photos", "pictures")
LABELS = ("annotations", "annotation", "annots", "labels", "label", "xmls", "xml", "bboxes", "txt")
NAMES = (*IMAGES, *LABELS)


@dataclass(frozen=True)
class Place:
    """A folder of images and that of their annotations, which can be the same."""

    images: Path
    labels: Path
    part: str | None


def places(root: Path, suffix: str, given: FolderOptions) -> tuple[list[Place], list[str]]:
    """Find the folders that hold images and files of `suffix`, and say which parts have none.

    Those `given` need no usual names.
    """
    root = entered(root, NAMES)
    own = _first(root, IMAGES) if given.images is None else inside(root, given.images)
    theirs = _first(root, LABELS) if given.labels is None else inside(root, given.labels)
    if given.images is not None or given.labels is not None:
        own, theirs = own or root, theirs or root
    if own is not None and theirs is not None:
        found = _by_part(own, theirs) or [Place(own, theirs, None)]
    else:
        found = [_within(folder, part) for folder, part in _parts(root)]
        found = found or [_within(root, None)]
    with_labels = [each for each in found if next(files_below(each.labels, (suffix,)), None)]
    if not with_labels:
        return [], []
    used = {each.images for each in with_labels}
    beside = [each.images for each in found] + [folder for folder, _ in _parts(own or root)]
    unused = sorted({folder for folder in beside if not used & {folder, *folder.iterdir()}})
    return with_labels, [
        f"{folder}: its images have no {suffix} files and were left out."
        for folder in unused
        if next(files_below(folder, SUFFIXES), None)
    ]


def name_of(file: Path, root: Path) -> str:
    """Return an image's path below the folder that has the usual name of images or of a part."""
    path = file.relative_to(root) if file.is_relative_to(root) else Path(file.name)
    above = list(path.parts[:-1])
    while above and not (part_of(above[-1]) or above[-1].lower() in IMAGES):
        above.pop()
    return path.relative_to(Path(*above)).as_posix()


def list_folders(root: Path) -> list[Path]:
    """Return where lists of images lie: ImageSets/Main/, ImageSets/, or the folder itself."""
    sets = [path for path in _below(root) if path.name.lower() == "imagesets"]
    if len(sets) > 1:
        listed = " and ".join(str(each.parent) for each in sets[:2])
        raise ValueError(f"{root}: it holds several sets: {listed}. Give one as --data.path.")
    return [
        *(folder for each in sets for folder in (each / "Main", each)),
        entered(root, NAMES),
        root,
    ]


def files_below(folder: Path, suffixes: frozenset[str] | tuple[str, ...]) -> Iterator[Path]:
    """Yield the files of a folder and those below, by name; hidden ones are left out."""
    return (file for file in walk(checked_folder(folder)) if file.suffix.lower() in suffixes)


def _below(root: Path, depth: int = 3) -> Iterator[Path]:
    """Yield the folders below, some levels deep."""
    for name in folders(root) if depth else ():
        yield root / name
        yield from _below(root / name, depth - 1)


class ImageFiles:
    """The images of a folder and below, found by their path or name, with or without ending."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: list[Path] = list(files_below(folder, SUFFIXES))
        self.by_name: dict[str, list[Path]] = {}
        for file in self.files:
            path = file.relative_to(folder)
            names = {path.as_posix(), path.with_suffix("").as_posix(), path.name, path.stem}
            for name in names:
                self.by_name.setdefault(name, []).append(file)

    def find(self, name: str) -> Path | None:
        """Return the image of that name; None where there is none, `ValueError` for several."""
        found = self.by_name.get(name, [])
        if len(found) > 1:
            both = " and ".join(str(file.relative_to(self.folder)) for file in found[:2])
            raise ValueError(
                f"{self.folder}: {both} both answer to the name {name!r}. Rename or remove one."
            )
        return found[0] if found else None


def _parts(root: Path) -> list[tuple[Path, str]]:
    """Return the folders inside `root` that are named as parts."""
    named = [(each, part_in(each.name)) for each in sorted(root.iterdir()) if each.is_dir()]
    return [(folder, part) for folder, part in named if part is not None]


def _by_part(images: Path, labels: Path) -> list[Place]:
    """Pair images/train with labels/train; empty unless both have folders of parts."""
    own = {folder.name.lower(): folder for folder, _ in _parts(images)}
    return [
        Place(own[folder.name.lower()], folder, part)
        for folder, part in _parts(labels)
        if folder.name.lower() in own
    ]


def _within(folder: Path, part: str | None) -> Place:
    """Return the images and labels inside a folder, side by side if they have none of their own."""
    return Place(_first(folder, IMAGES) or folder, _first(folder, LABELS) or folder, part)


def _first(root: Path, names: tuple[str, ...]) -> Path | None:
    return next(named(root, names), None)
