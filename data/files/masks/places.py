"""Where images and masks lie: two folders under any of their usual names, perhaps for each part.

    images/ + labels/              JPEGImages/ + SegmentationClass/      one pool
    images/train/ + labels/train/  train/images/ + train/labels/         a folder a part
    train/ + trainannot/           a_train_input/ + a_train_groundtruth/ beside each other
    a.jpg + a_mask.png             a/images/a.png + a/masks/…            a mask an object

Names match whatever their case. A folder without an image does not count: Pascal VOC's Annotations/
holds boxes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from common.own_files import FolderOptions
from data.files.folders import (
    checked_folder,
    entered,
    folders,
    has_images,
    images_below,
    inside,
    is_image,
    named,
)
from data.files.layouts import check_layout
from data.files.part_names import part_in, part_of, words_of

IMAGES = (
    "images jpegimages image imgs img img_dir leftimg8bit frames photos pictures inputs input"
).split()
MASKS = (
    "labels masks segmentationclass segmentationobject annotations label mask annotation annots"
    " annot ann_dir gtfine gt groundtruth ground_truth segmentation segmentations targets"
).split()
NOT_OF = {"objects": "segmentationclass", "semantic": "segmentationobject"}  # a task's last choice
BESIDE = ("annot", "annotations", "labels", "masks", "mask", "gt")  # trainannot/ of train/


@dataclass(frozen=True)
class Place:
    """A folder of images and one of masks, which may be the same; None for all parts."""

    images: Path
    masks: Path
    part: str | None = None
    single: bool = False
    """The folder of one image, with a mask for each of its objects."""


def places(root: Path | None, own: FolderOptions, *, task: str) -> list[Place]:
    """Find the folders below `root`, or in those that `own` gives for each part.

    Folders that are not found by their names are given too; paths below `root` do.
    """
    if own.by_part:
        found = []
        for part, path in own.by_part.items():
            folder = checked_folder(inside(root, path))
            found += _within(folder, part, _given(folder, own, task), [])
    else:
        assert root is not None
        found = _found(entered(checked_folder(root), [*IMAGES, *MASKS]), own, task)
    if not found:
        assert root is not None
        refuse(root)
    return found


def _found(root: Path, own: FolderOptions, task: str) -> list[Place]:
    """Try the layouts, the plainest first; empty if it is none of them."""
    images, masks = _given(root, own, task)
    if images is not None and masks is not None:
        return _by_part(images, masks) or [Place(images, masks)]
    by_hand = [path for path in (own.images, own.labels) if path is not None]
    for path in by_hand:
        if not any((folder / path).is_dir() for folder in _folders(root)):
            checked_folder(inside(root, path))
    if by_hand:
        return list(_parts_of(root, own, task))
    return list(_parts_of(root, own, task)) or _by_words(root) or _beside(root) or list(_each(root))


def _given(folder: Path, own: FolderOptions, task: str) -> tuple[Path | None, Path | None]:
    """Return the folders of images and masks inside a folder, as given or by their names.

    One that is given and not there is None here: it may lie in the folders of the parts.
    """
    names = sorted(MASKS, key=lambda name: name == NOT_OF[task])
    images = _first(folder, IMAGES) if own.images is None else inside(folder, own.images)
    masks = _first(folder, names) if own.labels is None else inside(folder, own.labels)
    there = (each if each is not None and each.is_dir() else None for each in (images, masks))
    return next(there), next(there)


def _first(root: Path, names: Sequence[str]) -> Path | None:
    """Return the first of the folders of these names that holds an image."""
    return next(filter(has_images, named(root, names)), None)


def _parts_of(root: Path, own: FolderOptions, task: str) -> Iterator[Place]:
    """Yield the folders that a word of their name makes a part, with those of their masks."""
    full = [folder for folder in _folders(root) if has_images(folder)]
    masks = [folder for folder in full if _is_of_masks(folder.name)]
    for folder in full:
        part = part_in(folder.name)
        if part is not None and folder not in masks:
            beside = [each for each in masks if part_in(each.name) == part]
            yield from _within(folder, part, _given(folder, own, task), beside)


def _within(
    folder: Path, part: str, inner: tuple[Path | None, Path | None], beside: Sequence[Path]
) -> list[Place]:
    """Return the folders inside one part's folder, beside it, or the folder itself for both."""
    images, masks = inner
    if masks is None and not beside:
        names = [folder.name.lower() + gap + word for word in BESIDE for gap in ("", "_", "-")]
        beside = [each for each in _folders(folder.parent) if each.name.lower() in names]
    if masks is None and len(beside) > 1:
        raise ValueError(
            f"{folder.parent}: {beside[0].name}/ and {beside[1].name}/ may both be the masks of"
            f" {folder.name}/. Move one away, or give --data.images and --data.labels."
        )
    masks = masks or next(iter(beside), None)
    if images is None and masks is None:
        each = [replace(place, part=part) for place in _each(folder)]
        return each or [Place(folder, folder, part)]
    return [Place(images or folder, masks or folder, part)]


def _by_part(images: Path, masks: Path) -> list[Place]:
    """Pair images/train with labels/train; empty unless both have folders of parts."""
    theirs = {part_of(folder.name): folder for folder in _folders(masks)}
    found = [(folder, part_of(folder.name)) for folder in _folders(images)]
    return [
        Place(folder, theirs[part], part)
        for folder, part in found
        if part is not None and part in theirs
    ]


def _by_words(root: Path) -> list[Place]:
    """Return the only two folders of images, one named as that of masks: PNGImages, PedMasks."""
    full = [folder for folder in _folders(root) if has_images(folder)]
    masks = [folder for folder in full if _is_of_masks(folder.name)]
    if len(full) != 2 or len(masks) != 1:
        return []
    return [Place(next(folder for folder in full if folder not in masks), masks[0])]


def _beside(root: Path) -> list[Place]:
    """Return the folder for both if masks lie beside their images: a.jpg and a_mask.png."""
    stems = {file.with_suffix("").as_posix().lower() for file in images_below(root)}
    marked = any(f"{stem}{mark}" in stems for stem in stems for mark in ("_mask", "_label", "_gt"))
    return [Place(root, root)] if marked else []


def _each(root: Path) -> Iterator[Place]:
    """Yield the folders of single images: <id>/images/<id>.png with masks in <id>/masks/."""
    for folder in _folders(root):
        own, theirs = _first(folder, IMAGES), _first(folder, MASKS)
        if own is not None and theirs is not None:
            yield Place(own, theirs, single=len([*filter(is_image, own.iterdir())]) == 1)


def _is_of_masks(name: str) -> bool:
    """Tell by a word: "train_masks", "ISIC2018_Task1_Training_GroundTruth"."""
    words = words_of(name)
    return bool({*words} & {*MASKS}) or "groundtruth" in "".join(words)


def _folders(root: Path) -> list[Path]:
    return [root / name for name in folders(root)]


def refuse(root: Path) -> None:
    """Raise, naming the layout that lies there if it is another one."""
    instead = "; segmentation needs an image of the mask of each image"
    check_layout(root, "masks", instead=instead)
    inside = ", ".join(each.name for each in _folders(root)) or "no folder"
    raise ValueError(
        f"{root}: no images with masks found ({inside} in it). Put images into images/ and a mask"
        " of the same name for each into labels/, or name the folders by --data.images and"
        " --data.labels."
    )
