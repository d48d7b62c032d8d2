"""Labelled images of any layout -> the table of detection, each image decoded once on the way.

So a broken image is named now and not in the middle of a training run, all of them in one message.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np

from common import console
from common.images import orientation_of
from common.own_files import FolderOptions
from data.files.boxes.fitting import fitted
from data.files.boxes.labelled import Labelled, LabelledImage
from data.files.boxes.places import name_of
from data.files.boxes.split import split_of
from data.files.columns import file_source
from data.files.faults import MOST, FaultsOfFolder
from data.files.repairs import Repairs
from data.files.series import are_neighbours_alike, series_of, thumbnail
from data.tables import DetectionImages, EncodedImages, decode_image

Fitted = tuple[np.ndarray, np.ndarray]  # boxes (n, 4), and their rows (n,)


def detection_table(
    root: Path,
    found: Labelled,
    faults: FaultsOfFolder,
    own: FolderOptions,
    *,
    seed: int,
    files: Sequence[Path] = (),
) -> DetectionImages:
    """Make the table, or raise all faults, those of the layout's reader included."""
    relative = found.relative or _all_below_one(found.images)
    repairs = Repairs()
    fits, digests, small = _fits(found.images, relative, faults, repairs)
    names = [name_of(image.file, root) for image in found.images]
    alike = are_neighbours_alike(small, series_of(names))
    split, said = split_of(found.images, found.given, names, own, alike=alike, seed=seed)
    label_names = _label_names(found.images, fits)
    boxes, labels = _numbered(found.images, fits, label_names, ignored=False)
    hidden = _numbered(found.images, fits, label_names, ignored=True)
    notices = [*said, *found.notices, *repairs.sentences(), *_doubtful(label_names)]
    notices += _repeated(split, digests)
    if relative and not found.relative:
        notices.append("All coordinates are below 1 and were taken as shares of the image.")
    unseen = sorted(found.classes - set(label_names))
    if unseen:
        notices.append(f"Classes without a box were left out: {', '.join(unseen)}.")
    if count := sum(map(len, hidden[0])):
        notices.append(
            f"{count:,} boxes are marked as difficult or as crowds: they are not trained on, and "
            "count neither as missed nor, if found, as false alarms."
        )
    source = file_source(
        (root, *files),
        rows=f"{len(names):,} images, {sum(map(len, boxes)):,} boxes, {len(label_names)} "
        f"{'class' if len(label_names) == 1 else 'classes'}",
        notice=" ".join(notices) or None,
    )
    files = [image.file for image in found.images]
    encoded = EncodedImages(files, [str(file) for file in files])
    return DetectionImages(source, encoded, boxes, labels, label_names, split, *hidden)


def _fits(
    images: Sequence[LabelledImage], relative: bool, faults: FaultsOfFolder, repairs: Repairs
) -> tuple[list[Fitted], list[str], np.ndarray]:
    """Decode each image once and bring its boxes into its pixels, or raise all faults.

    Also gives a digest of each file, by which equal ones are found, and thumbnails (N, 768).
    """
    if len(faults.found) > MOST:
        faults.check()
    fits: list[Fitted] = []
    digests, small = [], []
    for image in console.progress(images, "reading images"):
        with faults.kept():
            content = image.file.read_bytes()
            digests.append(sha256(content).hexdigest())
            pixels = decode_image(content, name=str(image.file))
            height, width = pixels.shape[:2]
            small.append(thumbnail(pixels))
            turn = orientation_of(content)
            fits.append(fitted(image, (width, height), turn, relative=relative, repairs=repairs))
    faults.check()
    return fits, digests, np.stack(small)


def _repeated(split: Mapping[str, np.ndarray], digests: Sequence[str]) -> list[str]:
    """Say how many images of validation and test are, byte for byte, among those of training."""
    known = {digests[row] for row in split["train"]}
    counts = {part: sum(digests[row] in known for row in split[part]) for part in ("valid", "test")}
    return [
        f"{count:,} {part} images are the file of a training image; they were kept."
        for part, count in counts.items()
        if count
    ]


def _all_below_one(images: Sequence[LabelledImage]) -> bool:
    """Tell whether no coordinate of any box is above 1: no box is drawn within one pixel."""
    corners = [corner for image in images for box in image.boxes for corner in box.corners]
    return bool(corners) and max(corners) <= 1


def _label_names(images: Sequence[LabelledImage], fits: Sequence[Fitted]) -> tuple[str, ...]:
    """Return the classes that have a box to be found, in alphabetical order."""
    boxes = [
        image.boxes[row] for image, (_, rows) in zip(images, fits, strict=True) for row in rows
    ]
    return tuple(sorted({box.label for box in boxes if not box.ignored}))


def _numbered(
    images: Sequence[LabelledImage],
    fits: Sequence[Fitted],
    names: Sequence[str],
    *,
    ignored: bool,
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return the boxes (n, 4) and labels (n,) of each image, those to be ignored or the others."""
    index = {name: number for number, name in enumerate(names)}
    boxes, labels = [], []
    for image, (corners, rows) in zip(images, fits, strict=True):
        kept = [image.boxes[row] for row in rows]
        chosen = [box.ignored is ignored and box.label in index for box in kept]
        boxes.append(corners[np.array(chosen, bool)])
        numbers = [index[box.label] for box, keep in zip(kept, chosen, strict=True) if keep]
        labels.append(np.array(numbers, np.int64))
    return boxes, labels


def _doubtful(names: Sequence[str]) -> list[str]:
    """Say which classes differ in nothing but case or space."""
    bare = Counter(" ".join(name.lower().split()) for name in names)
    alike = [name for name in names if bare[" ".join(name.lower().split())] > 1]
    if not alike:
        return []
    return [f"The classes {', '.join(map(repr, alike))} differ in case or space alone; they were "
            "kept apart."]  # fmt: skip
