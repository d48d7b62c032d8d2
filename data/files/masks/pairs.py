"""Each image with the mask of its name: a.jpg with a.png, a_mask.png or a_labelIds.png.

Folders below are gone through too, and the path below the folder is part of the name. An image
without a mask is left out and said, as most images of Pascal VOC have none. A folder of one image
may hold a mask for each of its objects instead.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from data.files.faults import FaultsOfFolder
from data.files.folders import images_below
from data.files.lists import FOLDERS, entry, lists_in, rows_of
from data.files.masks.places import Place
from data.files.part_names import PARTS

MARK = re.compile(
    r"[_-](mask|masks|label|labels|gt|seg|segmentation|annot|annotation|l|p|labelids"
    r"|gtfine_labelids|gtcoarse_labelids|trimap|manual\d*)$"
)
IMAGE_MARK = re.compile(r"[_-](leftimg8bit|image|img|rgb|sat|training|test)$")


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
        if not own.keys() & theirs.keys():
            own, theirs = _bare(own), _bare(theirs)
        both = sorted(own.keys() & theirs.keys())
        if not both and place.single and theirs:
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
    return pairs, notices


def _bare(files: dict[str, Path]) -> dict[str, Path]:
    """Return the files under their names without folders: a mask may lie deeper than its image."""
    names = [name.rpartition("/")[2] for name in files]
    return dict(zip(names, files.values(), strict=True)) if len({*names}) == len(names) else files


def _files(place: Place) -> tuple[list[tuple[str, Path]], list[tuple[str, Path]]]:
    """Return images and masks, each with the name that pairs them."""
    images = list(images_below(place.images))
    if place.images == place.masks:
        masks = [file for file in images if MARK.search(file.stem.lower())]
        images = [file for file in images if file not in set(masks)]
    else:
        masks = [file for file in images_below(place.masks) if file not in set(images)]
    own = [_names(file, place.images, IMAGE_MARK) for file in images]
    theirs = [_names(file, place.masks, MARK) for file in masks]
    # a name that fits as it stands is not stripped: m_1_l beside m_1_r
    fitting = {name for names in theirs for name in names}
    of_images = [whole if whole in fitting else bare for whole, bare in own]
    known = set(of_images)
    of_masks = [whole if whole in known else bare for whole, bare in theirs]
    return list(zip(of_images, images, strict=True)), list(zip(of_masks, masks, strict=True))


def _names(file: Path, root: Path, mark: re.Pattern[str]) -> tuple[str, str]:
    """Return a file's name below `root` as it stands, and without its mark."""
    name = file.relative_to(root).with_suffix("").as_posix()
    found = mark.search(name.lower())
    return name, name[: found.start()] if found else name


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


def listed(
    pairs: list[Pair], found: Sequence[Place], given: Mapping[str, Path]
) -> tuple[list[Pair], list[str]]:
    """Give the pairs the parts of lists: those `given`, else those that lie beside the images."""
    if any(pair.part for pair in pairs):
        return pairs, []
    above = found[0].images.parent
    near = [above / "ImageSets" / "Segmentation", above, found[0].masks, found[0].masks.parent]
    lists = dict(given) or lists_in([*near, *(above / name for name in FOLDERS)])
    known = {name: row for row, pair in enumerate(pairs)
             for name in (pair.name.rpartition("/")[2], pair.image.name, pair.name)}  # fmt: skip
    part_of: dict[int, str] = {}
    faults, absent = FaultsOfFolder(), 0
    for part, path in lists.items():
        for number, line in rows_of(path):
            row = entry(line, known)
            if row is None:
                absent += 1
                if given:
                    faults.add(f"{path}, row {number}: no image with a mask is called {line!r}. "
                               "Correct it, or remove the row.")  # fmt: skip
            elif part_of.setdefault(row, part) != part:
                raise ValueError(f"{path}: {line!r} is in two lists. Keep it in one.")
    faults.check()
    if not lists:
        return pairs, []
    if not part_of and given:
        raise ValueError(f"{next(iter(given.values()))}: it names none of the images. Correct it.")
    if not part_of:
        names = ", ".join(str(path) for path in lists.values())
        return pairs, [f"{names} name none of the images and were not used."]
    left = len(pairs) - len(part_of)
    said = f"The split is that of {', '.join(path.name for path in lists.values())}"
    said += f"; {absent:,} of its names have no mask" if absent else ""
    said += f"; {left:,} images are in no list and were left out" if left else ""
    return [replace(pairs[row], part=part) for row, part in sorted(part_of.items())], [said + "."]


def split_of(pairs: Sequence[Pair]) -> dict[str, np.ndarray]:
    """Return the rows of each part, empty where the data has none but train."""
    parts = [part for part in PARTS if any(pair.part == part for pair in pairs)]
    return (
        {}
        if parts == ["train"]
        else {
            part: np.array([row for row, pair in enumerate(pairs) if pair.part == part])
            for part in parts
        }
    )
