"""Which layout a folder of images has, told by what lies in it, so that a wrong door names itself.

    voc      .xml files: Annotations/<image>.xml beside JPEGImages/
    coco     a .json that lists "images" and "annotations"
    yolo     .txt files whose rows are `class x y w h`, all shares of the image
    masks    a folder of images and one of label images of the same names
    classes  one folder of images per class, below train/ and test/ if there is a split

Names of files decide, and the first rows of a .txt; no image is opened.
"""

from __future__ import annotations

import mmap
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from common.images import SUFFIXES
from data.files.part_names import part_in

DEPTH = 4  # folders below the root that are looked into: VOCdevkit/VOC2012/ImageSets/Main
READ = (
    20  # files of a folder that are looked into; in YOLO an image without objects has an empty one
)
MASK_WORDS = (
    "labels label masks mask annotations annotation annot annots gt gtfine groundtruth "
    "ground_truth segmentation segmentationclass segmentationobject"
).split()
IMAGE_WORDS = "images image imgs img jpegimages frames input inputs".split()
SPLIT_WORDS = "train trainval val valid validation test".split()
DETECTION = "python -m patterns.vision.train detection --dataset"
REMEDIES = {
    "voc": ("Pascal VOC (boxes in .xml files)", f"{DETECTION} voc"),
    "coco": ("COCO (boxes in a .json file)", f"{DETECTION} coco"),
    "yolo": ("YOLO (boxes in .txt files)", f"{DETECTION} yolo"),
    "masks": (
        "images with label images",
        "python -m patterns.vision.train segmentation --dataset folder",
    ),
    "classes": (
        "a folder of images per class",
        "python -m patterns.vision.train classification --dataset folder",
    ),
}
NO_DOOR = (
    "No door reads that: write the boxes as COCO (one .json) or YOLO (a .txt an image), as "
    "docs/your-data.md shows."
)
BOX_COLUMNS = {"xmin", "x_min", "bbox", "x1", "left"}


Listing = list[tuple[Path, list[str]]]


@dataclass(frozen=True)
class Layout:
    """A layout, by its key in `REMEDIES`, and the file or folder it was recognised by."""

    name: str
    seen: Path


def layout_of(root: Path) -> Layout | None:
    """Return the layout of a folder, or None if it is none of those known here."""
    listing = list(_listing(root))  # each folder with its files
    return (
        _first("voc", listing, ".xml", _is_voc)
        or _first("coco", listing, ".json", _is_coco)
        or _first("yolo", listing, ".txt", _is_yolo)
        or _masks(listing)
        or _classes(root, listing)
    )


def check_layout(root: Path, *expected: str, instead: str = "") -> None:
    """Raise `ValueError` if a folder has another layout than one of those expected.

    `instead` ends the message: what to do if the expected layout is meant.
    """
    found = layout_of(root) or (None if "classes" in expected else _unread(root))
    if found is None or found.name in expected:
        return
    by = os.path.relpath(found.seen, root)
    if found.name not in REMEDIES:
        raise ValueError(f"{root}: {by} is {found.name}. {NO_DOOR}")
    what, command = REMEDIES[found.name]
    raise ValueError(f"{root}: this is {what}, by {by}; use {command} --data.path {root}{instead}")


def _unread(root: Path) -> Layout | None:
    """Return boxes in a form that no door reads; its name is what it is called in a message."""
    listing = list(_listing(root))
    return (
        _first("a table of boxes", listing, ".csv", _is_table_of_boxes)
        or _first("boxes of LabelMe", listing, ".json", _is_labelme)
        or _first("boxes of KITTI", listing, ".txt", _is_kitti)
        or _first("an annotation of Pascal VOC without the ending .xml", listing, "", _is_bare_voc)
    )


def _listing(root: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yield each folder down to `DEPTH` with the names of its files, hidden ones left out."""
    for folder, inside, files in os.walk(root):
        path = Path(folder)
        shallow = len(path.relative_to(root).parts) < DEPTH
        inside[:] = sorted(name for name in inside if shallow and name[0] not in "._")
        yield path, sorted(name for name in files if name[0] != ".")


def _first(
    name: str, listing: Listing, suffix: str, holds: Callable[[Path], bool]
) -> Layout | None:
    """Return the layout if one of the first `READ` files with the suffix in a folder is of it."""
    for folder, files in listing:
        for file in [each for each in files if each.lower().endswith(suffix)][:READ]:
            if holds(folder / file):
                return Layout(name, folder / file)
    return None


def _is_voc(path: Path) -> bool:
    return b"<annotation" in _start(path)


def _is_table_of_boxes(path: Path) -> bool:
    """Tell by the header; tables without one are not recognised."""
    header = _start(path).partition(b"\n")[0].decode("utf-8", "replace").lower()
    return bool(BOX_COLUMNS & set(re.split(r"[^a-z0-9_]+", header)))


def _is_labelme(path: Path) -> bool:
    return b'"shapes"' in _start(path) and b'"version"' in _start(path)


def _is_kitti(path: Path) -> bool:
    """Tell a class in words and fourteen numbers, the fourth to seventh a box."""
    words = _start(path).partition(b"\n")[0].split()
    return len(words) in (15, 16) and words[0].isalpha()


def _is_bare_voc(path: Path) -> bool:
    return path.suffix == "" and _is_voc(path)


def _is_coco(path: Path) -> bool:
    """Look for the keys anywhere in the file: the annotations may follow after megabytes."""
    if path.stat().st_size == 0:
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        return all(text.find(key) >= 0 for key in (b'"images"', b'"annotations"'))


def _is_yolo(path: Path) -> bool:
    """Tell whether the first row is a class number and four or more shares."""
    words = _start(path).strip().partition(b"\n")[0].split()
    try:
        values = [float(word) for word in words]
    except ValueError:
        return False
    return len(values) >= 5 and values[0].is_integer() and max(map(abs, values[1:])) <= 1.5


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(2000)


def _masks(listing: Listing) -> Layout | None:
    """Find a folder named as those of masks are, whose images have the names of another's.

    Or folders of single images, each beside the masks of its objects.
    """
    stems = {folder: {_bare(file) for file in _images(files)} for folder, files in listing}
    single = [
        folder
        for folder, names in stems.items()
        if names
        and _split_word(folder) == ""
        and any(len(stems.get(folder.parent / word, ())) == 1 for word in IMAGE_WORDS)
    ]
    if len(single) > 1:
        return Layout("masks", single[0])
    for folder, names in stems.items():
        if names and _split_word(folder) is not None:
            for other, theirs in stems.items():
                if _are_partners(folder, other) and 2 * len(names & theirs) >= len(names):
                    return Layout("masks", folder)
    return None


def _are_partners(masks: Path, images: Path) -> bool:
    """Tell whether a folder is one of images beside masks: images/, or train/ of trainannot/."""
    names = {part.lower() for part in images.parts[-2:]}
    return _split_word(images) is None and bool(names & {*IMAGE_WORDS, _split_word(masks)})


def _split_word(folder: Path) -> str | None:
    """Return what a mask folder's name has before its mask word; None for another folder."""
    for part in (folder.name.lower(), folder.parent.name.lower()):
        if part in MASK_WORDS:
            return ""
        for word in MASK_WORDS:
            if part.endswith(word) and part.removesuffix(word).rstrip("_-") in SPLIT_WORDS:
                return part.removesuffix(word).rstrip("_-")
    return None


def _classes(root: Path, listing: Listing) -> Layout | None:
    """Find two folders of images side by side, below the root or below train/.

    Those named as a part, as images or as masks are no classes.
    """
    train = next((path for path in root.iterdir() if path.name.lower() == "train"), root)
    below = [folder.relative_to(train).parts[:1] for folder, files in listing
             if folder.is_relative_to(train) and next(_images(files), None)]  # fmt: skip
    full = {name for parts in below for name in parts}
    classes = sorted(name for name in full if not _is_of_a_layout(name))
    return Layout("classes", train / classes[0]) if len(classes) >= 2 else None


def _is_of_a_layout(name: str) -> bool:
    return part_in(name) is not None or name.lower() in (*IMAGE_WORDS, *MASK_WORDS)


def _images(files: Iterable[str]) -> Iterator[str]:
    return (name for name in files if os.path.splitext(name)[1].lower() in SUFFIXES)


def _bare(name: str) -> str:
    """Return a file's name without its ending and without what marks it as a mask."""
    return re.sub(r"[_-](mask|masks|label|labels|gt|seg|annot|l)$", "", Path(name).stem.lower())
