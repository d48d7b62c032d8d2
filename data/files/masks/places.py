"""Where images and masks lie: two folders under any of their usual names, perhaps for each part.

    images/ + labels/              JPEGImages/ + SegmentationClass/      one pool
    images/train/ + labels/train/  train/images/ + train/labels/         a folder a part
    train/ + trainannot/           a.jpg + a_mask.png                    beside each other
    a/images/a.png + a/masks/      a folder an image, a mask an object

Names match whatever their case.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from data.files.folders import checked_folder
from data.files.layouts import check_layout

IMAGES = (
    "images jpegimages image imgs img img_dir leftimg8bit frames photos pictures inputs input"
).split()
MASKS = (
    "labels masks annotations segmentationclass segmentationobject label mask annotation annots"
    " annot ann_dir gtfine gt groundtruth ground_truth segmentation targets"
).split()
PART_NAMES = {
    "train": ("train", "training"),
    "valid": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
BESIDE = ("annot", "annotations", "labels", "masks", "mask", "gt")  # trainannot/ of train/


@dataclass(frozen=True)
class Place:
    """A folder of images and one of masks, which may be the same; None for all parts."""

    images: Path
    masks: Path
    part: str | None = None


def places(
    root: Path | None,
    *,
    images: Path | None = None,
    masks: Path | None = None,
    parts: Mapping[str, Path | None],
) -> list[Place]:
    """Find the folders below `root`, or in the folders given for each part.

    `images` and `masks` name folders that are not found by their names; paths below `root` do.
    """
    given = {part: folder for part, folder in parts.items() if folder is not None}
    if given:
        found = [
            _within(checked_folder(_below(root, folder)), part, images, masks)
            for part, folder in given.items()
        ]
    else:
        assert root is not None
        found = _found(_entered(checked_folder(root)), images, masks)
    if not found:
        assert root is not None
        _refuse(root)
    return found


def _found(root: Path, images: Path | None, masks: Path | None) -> list[Place]:
    """Try the layouts, the plainest first; empty if it is none of them."""
    own = _named(root, IMAGES) if images is None else checked_folder(_below(root, images))
    theirs = _named(root, MASKS) if masks is None else checked_folder(_below(root, masks))
    if own is not None and theirs is not None:
        return _by_part(own, theirs) or [Place(own, theirs)]
    return list(_parts_of(root)) or _beside(root) or list(_each(root))


def _within(folder: Path, part: str, images: Path | None, masks: Path | None) -> Place:
    """Return the folders inside one part's folder, beside it, or the folder itself for both."""
    own = _named(folder, IMAGES) if images is None else checked_folder(_below(folder, images))
    theirs = _named(folder, MASKS) if masks is None else checked_folder(_below(folder, masks))
    if theirs is None:
        sisters = {each.name.lower(): each for each in _folders(folder.parent)}
        names = [folder.name.lower() + gap + word for word in BESIDE for gap in ("", "_", "-")]
        theirs = next((sisters[name] for name in names if name in sisters), None)
    return Place(own or folder, theirs or folder, part)


def _parts_of(root: Path) -> Iterator[Place]:
    for folder in _folders(root):
        part = part_of(folder.name)
        if part is not None:
            yield _within(folder, part, None, None)


def _by_part(images: Path, masks: Path) -> list[Place]:
    """Pair images/train with labels/train; empty unless both have folders of parts."""
    theirs = {part_of(folder.name): folder for folder in _folders(masks)}
    found = [(folder, part_of(folder.name)) for folder in _folders(images)]
    return [
        Place(folder, theirs[part], part)
        for folder, part in found
        if part is not None and part in theirs
    ]


def _beside(root: Path) -> list[Place]:
    """Return the folder for both if masks lie beside their images: a.jpg and a_mask.png."""
    stems = {file.stem.lower() for file in root.iterdir() if file.is_file()}
    marked = any(f"{stem}{mark}" in stems for stem in stems for mark in ("_mask", "_label", "_gt"))
    return [Place(root, root)] if marked else []


def _each(root: Path) -> Iterator[Place]:
    """Yield the folders of single images: <id>/images/<id>.png with masks in <id>/masks/."""
    for folder in _folders(root):
        own, theirs = _named(folder, IMAGES), _named(folder, MASKS)
        if own is not None and theirs is not None:
            yield Place(own, theirs)


def part_of(name: str) -> str | None:
    """Return the part that a folder's name stands for; None for another name."""
    return next((part for part, names in PART_NAMES.items() if name.lower() in names), None)


def _entered(root: Path) -> Path:
    """Return the folder, or the one in it where it holds nothing else: VOCdevkit/VOC2012."""
    while True:
        inner = [each for each in root.iterdir() if each.name[0] not in "._"]
        if len(inner) != 1 or not inner[0].is_dir() or part_of(inner[0].name):
            return root
        if inner[0].name.lower() in (*IMAGES, *MASKS):
            return root
        root = inner[0]


def _named(root: Path, names: Sequence[str]) -> Path | None:
    inside = {each.name.lower(): each for each in _folders(root)}
    return next((inside[name] for name in names if name in inside), None)


def _folders(root: Path) -> list[Path]:
    return sorted(each for each in root.iterdir() if each.is_dir() and each.name[0] != ".")


def _below(root: Path | None, path: Path) -> Path:
    """Return a path that the user gave, below `root` if it is there."""
    return root / path if root is not None and (root / path).exists() else path


def _refuse(root: Path) -> None:
    instead = "; segmentation reads a mask for each image, so draw outlines into masks for it"
    check_layout(root, "masks", instead=instead)
    inside = ", ".join(each.name for each in _folders(root)) or "no folder"
    raise ValueError(
        f"{root}: no images with masks found ({inside} in it). Put images into images/ and a mask"
        " of the same name for each into labels/, or name the folders by --data.images and"
        " --data.labels."
    )
