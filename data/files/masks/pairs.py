"""Each image with the mask of its name: a.jpg with a.png, a_mask.png or a_labelIds.png.

Folders below are gone through too, and the path below the folder is part of the name. An image
without a mask is left out and said, as most images of Pascal VOC have none. A folder of one image
may hold a mask for each of its objects instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from common.images import SUFFIXES
from data.files.masks.places import Place

MARK = re.compile(
    r"[_-](mask|masks|label|labels|gt|seg|segmentation|annot|annotation|l|p|labelids"
    r"|gtfine_labelids|gtcoarse_labelids|trimap)$"
)
IMAGE_MARK = re.compile(r"[_-](leftimg8bit|image|img|rgb|sat)$")


@dataclass(frozen=True)
class Pair:
    """An image, its mask, and its part, None where the data has none."""

    name: str
    image: Path
    mask: Path
    """A file, or a folder with a file for each object."""
    part: str | None


def pairs_of(found: Sequence[Place]) -> tuple[list[Pair], list[str]]:
    """Return the pairs of all places by part and name, and what is to be said of the rest."""
    pairs: list[Pair] = []
    notices: list[str] = []
    for place in found:
        images, masks = _files(place)
        twice = [names for names in (_twice(images), _twice(masks)) if names]
        if twice:
            raise ValueError(
                f"{twice[0][0]} and {twice[0][1]} have one name, so that it is open which belongs"
                " to which. Rename or remove one."
            )
        own, theirs = dict(images), dict(masks)
        both = sorted(own.keys() & theirs.keys())
        if not both and len(own) == 1 and len(theirs) > 1:
            pairs.append(Pair(next(iter(own)), next(iter(own.values())), place.masks, place.part))
            continue
        if not both and own and len(found) > 1:
            notices.append(f"{place.images}: its {len(own):,} images have no masks; left out.")
            continue
        if not both:
            raise ValueError(_nothing_in_common(place, own, theirs))
        pairs += [Pair(name, own[name], theirs[name], place.part) for name in both]
        notices += _left_out(place.images, "images have no mask", own, both)
        notices += _left_out(place.masks, "masks have no image", theirs, both)
    if not pairs:
        raise ValueError(f"{found[0].images.parent}: none of the images has a mask.")
    return pairs, notices


def _files(place: Place) -> tuple[list[tuple[str, Path]], list[tuple[str, Path]]]:
    """Return images and masks, each with the name that pairs them."""
    if place.images == place.masks:
        both = list(_images_below(place.images))
        masks = [file for file in both if MARK.search(file.stem.lower())]
        images = [file for file in both if file not in set(masks)]
    else:
        images = list(_images_below(place.images))
        masks = list(_images_below(place.masks))
    bare = [(_name(file, place.images, IMAGE_MARK), file) for file in images]
    # a name that is an image's as it stands is not stripped: m_1_l beside m_1_r
    known = {name for name, _ in bare}
    marked = []
    for file in masks:
        whole = _name(file, place.masks, None)
        marked.append((whole if whole in known else _name(file, place.masks, MARK), file))
    return bare, marked


def _name(file: Path, root: Path, mark: re.Pattern[str] | None) -> str:
    name = file.relative_to(root).with_suffix("").as_posix()
    if mark is None:
        return name
    found = mark.search(name.lower())
    return name[: found.start()] if found else name


def _images_below(folder: Path) -> Iterable[Path]:
    """Yield the image files of a folder and below, hidden ones left out."""
    for file in sorted(folder.rglob("*")):
        hidden = any(part[0] == "." for part in file.relative_to(folder).parts)
        if file.suffix.lower() in SUFFIXES and not hidden and "__MACOSX" not in file.parts:
            yield file


def _twice(files: list[tuple[str, Path]]) -> list[Path]:
    """Return two files of one name, if there are any."""
    seen: dict[str, Path] = {}
    for name, file in files:
        if name in seen:
            return [seen[name], file]
        seen[name] = file
    return []


def _left_out(folder: Path, what: str, files: dict[str, Path], paired: Sequence[str]) -> list[str]:
    rest = sorted(files.keys() - set(paired))
    if not rest:
        return []
    return [f"{folder}: {len(rest):,} {what} and were left out (first: {files[rest[0]].name})."]


def _nothing_in_common(place: Place, own: dict[str, Path], theirs: dict[str, Path]) -> str:
    if not own or not theirs:
        folder, what = (place.images, "image") if not own else (place.masks, "mask")
        return f"{folder}: no {what} in it. Put the {what}s there, or name their folder."
    return (
        f"{place.masks}: no mask has the name of an image in {place.images}"
        f" ({next(iter(theirs.values())).name}, {next(iter(own.values())).name}). Each image needs"
        " a mask of its name."
    )


def voc_lists(pairs: list[Pair], found: Sequence[Place]) -> tuple[list[Pair], list[str]]:
    """Give the pairs the parts of Pascal VOC's ImageSets/Segmentation, if it is there."""
    folder = found[0].images.parent / "ImageSets" / "Segmentation"
    lists = {"train": "train", "valid": "val", "test": "test"}
    listed: dict[str, str] = {}
    for part, name in lists.items():
        path = folder / f"{name}.txt"
        for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
            if line.strip() and listed.setdefault(line.strip(), part) != part:
                raise ValueError(f"{path}: {line.strip()!r} is in two lists. Keep it in one.")
    if not listed or any(pair.part for pair in pairs):
        return pairs, []
    kept = [Pair(p.name, p.image, p.mask, listed[p.name]) for p in pairs if p.name in listed]
    if not kept:
        raise ValueError(f"{folder}: its lists name none of the images. Correct or remove them.")
    rest = len(pairs) - len(kept)
    return kept, [f"{folder}: {rest:,} images are in no list and were left out."] if rest else []


def split_of(pairs: Sequence[Pair]) -> dict[str, np.ndarray]:
    """Return the rows of each part, empty where the data has no parts."""
    parts = [part for part in ("train", "valid", "test") if any(p.part == part for p in pairs)]
    return {
        part: np.array([row for row, pair in enumerate(pairs) if pair.part == part])
        for part in parts
    }
