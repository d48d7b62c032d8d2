"""The split: the user's own is kept, and what it lacks is drawn from the training images.

Where images without a box are background, they are drawn by the same shares as those with boxes.
Images of one group, such as the frames of a film, go to one drawn part whole.

Shapes: N images.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from common.own_files import PartOptions
from data.files.boxes.labelled import LabelledImage
from data.files.part_names import PARTS, held_out
from data.files.parts import groups_by_name, shared_groups

FEWEST = 10  # images with boxes: seven to learn from, one for validation, two for the test
SHARES = {"valid": 0.1, "test": 0.2}
COPY = re.compile(
    r"\.rf\.[0-9a-f]{8,}\.\w+$"
)  # one of several augmented copies, as Roboflow exports


def split_of(
    images: Sequence[LabelledImage],
    given: Mapping[str, Sequence[int]],
    names: Sequence[str],
    own: PartOptions,
    *,
    alike: bool,
    seed: int,
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Return row numbers under train, valid and test, and what is to be said of them.

    `own.group` finds an image's group in its name (`groups_by_name`); without it, each has its own.
    `alike`: neighbours in numbered series look alike.
    """
    given = {part: given[part] for part in PARTS if len(given.get(part, ()))}
    said = []
    for part in [part for part in ("valid", "test") if part in given]:
        if "train" in given and set(given[part]) == set(given["train"]):
            said.append(f"The {part} part given is that of training; it was not used.")
            del given[part]
        elif not any(images[row].boxes for row in given[part]):
            said.append(f"The {part} part given has no box; it was left out.")
            del given[part]
    said += [] if own.by_part else held_out(given)
    _check_once(images, given)
    if given and "train" not in given:
        raise ValueError(f"The parts given are {' and '.join(given)}: name the images to train on.")
    _check_enough([images[row] for rows in given.values() for row in rows] if given else images)
    rows = np.array(given.get("train", range(len(images))))
    missing = [part for part in SHARES if part not in given]
    split = {part: np.array(given[part]) for part in PARTS if part in given}
    groups, grouping = _groups(images, names, own.group)
    if missing:
        split.update(_drawn(images, rows, groups, missing, seed))
        drawn = " and ".join(f"{SHARES[part]:.0%} for the {part} part" for part in missing)
        of = "training images given" if "train" in given else "images"
        said.append(f"Of the {of}, {drawn} were drawn{grouping}.")
    if grouping:
        said += _shared(split, groups)
    elif missing and alike:
        said.append("The names number series whose neighbours look alike, as frames of a film do: "
                    "they may be in two parts and flatter the test; if so, give --data.group "
                    "prefix.")  # fmt: skip
    return split, said


def _groups(
    images: Sequence[LabelledImage], names: Sequence[str], group: str | None
) -> tuple[list[str], str]:
    """Return the group of each image, and how it was found; empty where each has its own."""
    if group is not None:
        groups = groups_by_name(names, group)
        return groups, f", {len(set(groups)):,} groups kept whole"
    copies = [COPY.sub("", name) for name in names]
    if len(set(copies)) < len(set(names)):
        return copies, ", copies that Roboflow made of one image kept together"
    return [str(image.file) for image in images], ""


def _shared(split: Mapping[str, np.ndarray], groups: Sequence[str]) -> list[str]:
    """Say how many groups lie in two parts, as those given may do."""
    rows = np.concatenate(list(split.values()))
    part_of = np.repeat(list(split), [len(each) for each in split.values()])
    shared = shared_groups(part_of, np.array([groups[row] for row in rows]))
    return [f"{shared:,} groups lie in more than one of the parts given."] if shared else []


def _drawn(
    images: Sequence[LabelledImage],
    rows: np.ndarray,
    groups: Sequence[str],
    missing: Sequence[str],
    seed: int,
) -> dict[str, np.ndarray]:
    """Draw rows by whole groups; images with boxes and those without in the same shares."""
    rng = np.random.default_rng(seed)
    drawn = {part: SHARES[part] for part in missing}
    shares = {"train": 1 - sum(drawn.values()), **drawn}
    units, unit = np.unique([groups[row] for row in rows], return_inverse=True)
    full = np.zeros(len(units), bool)
    full[[unit[at] for at, row in enumerate(rows) if images[row].boxes]] = True
    if full.sum() < len(shares):
        raise ValueError(
            f"the images with boxes are of {int(full.sum())} groups, but {len(shares)} parts need "
            "one each. Group by something finer, or give the parts yourself."
        )
    place = np.zeros(len(units), int)
    for stratum in (np.flatnonzero(full), np.flatnonzero(~full)):
        order = rng.permutation(stratum)
        sizes = np.bincount(unit, minlength=len(units))[order]
        middle = np.cumsum(sizes) - sizes / 2
        limits = np.cumsum(list(shares.values()))[:-1] * sizes.sum()
        place[order] = np.searchsorted(limits.round(), middle)
    for number in range(len(shares)):  # a part of its own even of few and large groups
        if not (full & (place == number)).any():
            most = np.bincount(place[full]).argmax()
            place[np.flatnonzero(full & (place == most))[0]] = number
    return {part: rows[place[unit] == number] for number, part in enumerate(shares)}


def _check_enough(images: Sequence[LabelledImage]) -> None:
    labelled = sum(any(not box.ignored for box in image.boxes) for image in images)
    if labelled < FEWEST:
        raise ValueError(
            f"{labelled} images with boxes; at least {FEWEST} are needed, some to train on, some "
            "for validation and some for the test, and a detector that is of use takes some "
            "hundred. Label more."
        )


def _check_once(images: Sequence[LabelledImage], given: Mapping[str, Sequence[int]]) -> None:
    taken: dict[int, str] = {}
    for part, rows in given.items():
        for row in rows:
            if row in taken:
                where = part if taken[row] == part else f"{taken[row]} and in {part}"
                raise ValueError(
                    f"{images[row].file}: it is listed twice, in {where}. Keep it in one part, "
                    "once."
                )
            taken[row] = part
