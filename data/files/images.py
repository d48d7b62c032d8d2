"""A user's own images, one label each: class folders or a CSV of labels -> one array.

Every image is decoded once, straight to the size that is trained on and into its place in one
array, so 10,000 photos need little more memory than their pixels at that size. Broken files are all
named at once.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from common import console
from common.images import UnreadableImage, decode, resized, size_of
from common.own_files import PartOptions, TableOptions
from data.files.columns import file_source
from data.files.faults import flag
from data.files.labelled import (
    LabelledFiles,
    files_in_folder,
    files_in_lists,
    files_in_parts,
    files_in_table,
)
from data.files.part_names import PARTS
from data.files.parts import PREFIX, assigned, groups_by_name, shared_groups
from data.files.series import are_neighbours_alike, series_of, thumbnail
from data.tables import Images

MOST_NAMED = 10  # broken files
MEASURED = 500  # images whose size is looked at


def images_from_folder(
    path: Path | None = None,
    own: PartOptions | None = None,
    *,
    labels: Path | None = None,
    file: str = "file",
    label: str = "label",
    size: int = 0,
    sizes: tuple[int, int] = (1, 96),
    valid_share: float = 0.1,
    test_share: float = 0.2,
    seed: int = 0,
    options: TableOptions | None = None,
) -> Images:
    """Read images of one class a folder, or those that the CSV `labels` lists below `path`.

    `path` holds the class folders, or train/, val/ and test/ above them; `own` gives folders of
    classes one by one instead (`path` is then those of training), or lists of images below `path`.
    Missing parts are drawn by `seed`, and `own.group` keeps images together (`groups_by_name`), or
    names a column of `labels`. All images are made square: `size` pixels a side, 0 for the median
    of their longer sides within `sizes`. Grey if all of them are.
    """
    own = own or PartOptions()
    if labels is not None:
        if path is None:
            raise ValueError(f"{labels}: give the folder of its images by {flag('path')}.")
        options = options or TableOptions()
        found = files_in_table(
            labels, path, file=file, label=label, group=own.group, options=options
        )
    else:
        found = _without_table(path, own)
    if own.group is not None and found.groups is None:
        found.groups = groups_by_name(found.names, own.group)
    label_names = tuple(sorted(set(found.labels)))
    number = np.array([label_names.index(label) for label in found.labels], np.int64)  # (N,)
    part_of = assigned(
        number, found.parts, found.groups, label_names=label_names,
        valid_share=valid_share, test_share=test_share, seed=seed,
    )  # fmt: skip
    sources = [each for each in (labels, path, *own.by_part.values()) if each is not None]
    return _read(found, number, part_of, label_names, sources, size=size, sizes=sizes)


def _without_table(path: Path | None, own: PartOptions) -> LabelledFiles:
    """Take the labels from the class folders, of a folder or of parts given one by one."""
    given = own.by_part
    lists = {part: each for part, each in given.items() if each.is_file()}
    if "train" not in given and (given or path is None) and (lists or path is None):
        raise ValueError(f"the images of training are missing: give {flag('train')}.")
    if lists and len(lists) < len(given):
        raise ValueError(f"{next(iter(lists.values()))}: a list of images beside a folder. Give "
                         "lists for all parts, or folders.")  # fmt: skip
    if lists:
        return files_in_lists(lists, path)
    if path is not None and not given:
        return files_in_folder(path)
    return files_in_parts(given if "train" in given or path is None else {"train": path, **given})


def _read(
    found: LabelledFiles,
    number: np.ndarray,
    part_of: np.ndarray,
    label_names: tuple[str, ...],
    sources: list[Path],
    *,
    size: int,
    sizes: tuple[int, int],
) -> Images:
    """Decode the files into one array in the order of the parts, which are views of it."""
    order = np.concatenate([np.flatnonzero(part_of == part) for part in PARTS])
    files = [found.files[row] for row in order]
    images = _decoded(files, size or _median_size(files, sizes))  # (N, S, S) or (N, S, S, 3)
    counts = [int((part_of == part).sum()) for part in PARTS]
    train, valid, test = np.split(images, np.cumsum(counts)[:-1])
    of_train, of_valid, of_test = np.split(number[order], np.cumsum(counts)[:-1])
    series = series_of([f"{found.labels[row]}/{found.names[row]}" for row in order])
    alike = found.groups is None and _are_alike(images, series, number[order])
    said = [*_notices(found, part_of, alike=alike), *_repeated(train, valid, test)]
    rows = ", ".join(f"{count:,} {part}" for count, part in zip(counts, PARTS, strict=True))
    source = file_source(
        sources,
        rows=f"{rows} images of {images.shape[1]} x {images.shape[1]}, {len(label_names)} classes",
        notice=" ".join(said) or None,
    )
    return Images(
        source, train, of_train, test, of_test, label_names,
        valid_images=valid, valid_labels=of_valid,
    )  # fmt: skip


def _are_alike(images: np.ndarray, series: list[np.ndarray], labels: np.ndarray) -> bool:
    """Tell whether neighbours in numbered series look alike."""
    if not series:
        return False
    small = np.stack([thumbnail(image) for image in images])
    return are_neighbours_alike(small, series, labels=labels)


def _median_size(files: Sequence[Path], limits: tuple[int, int]) -> int:
    """Return the median of the longer sides of some images, brought within `limits`."""
    step = max(1, len(files) // MEASURED)
    sides = []
    for file in files[::step]:
        try:
            sides.append(max(size_of(file.read_bytes())))
        except UnreadableImage:  # all of those are named while decoding
            continue
    return int(np.clip(np.median(sides), *limits)) if sides else limits[0]


def _decoded(files: Sequence[Path], size: int) -> np.ndarray:
    """Return uint8 (N, size, size), or (N, size, size, 3) where any image has colour."""
    images = np.zeros((len(files), size, size, 3), np.uint8)
    broken: list[str] = []
    colour = False
    with warnings.catch_warnings():  # Pillow's, of damaged EXIF and of large images
        warnings.simplefilter("ignore")
        for row in console.progress(range(len(files)), "reading images", len(files)):
            try:
                images[row] = resized(decode(files[row].read_bytes(), shown_at=size), size)
                colour = colour or bool((images[row] != images[row][..., :1]).any())
            except UnreadableImage as problem:
                broken.append(f"{files[row]} ({problem})")
    if broken:
        more = f" and {len(broken) - MOST_NAMED:,} more" if len(broken) > MOST_NAMED else ""
        raise ValueError(
            f"{len(broken)} of {len(files):,} images cannot be read: "
            f"{', '.join(broken[:MOST_NAMED])}{more}. Remove them, or save them again as PNG."
        )
    return images if colour else np.ascontiguousarray(images[..., 0])


def _notices(found: LabelledFiles, part_of: np.ndarray, *, alike: bool) -> Iterator[str]:
    """Say what was done to the files: the split, what was left out, what may leak.

    `alike`: neighbours in numbered series look alike.
    """
    groups = found.groups
    yield from found.said
    given = {part for part in found.parts if part}
    drawn = [part for part in PARTS if part not in given]
    together = f", {len(set(groups)):,} groups kept whole" if groups is not None else ""
    if drawn and given:
        yield f"The {' and '.join(drawn)} part was drawn from the training images{together}."
    elif drawn:
        yield f"The split was drawn, each class by its share{together}."
    elif groups is not None and (shared := shared_groups(part_of, np.array(groups))):
        yield f"{shared:,} groups lie in more than one of the parts given."
    if drawn and alike:
        yield (
            "The names number series whose neighbours look alike, as frames of a film do: they may "
            f"be in two parts and flatter the test; if so, give --data.group {PREFIX}."
        )
    if found.other:
        names = ", ".join(sorted({path.name for path in found.other})[:3])
        yield f"{len(found.other):,} files of other kinds were not read ({names})."
    if found.nested:
        yield f"{found.nested:,} images lie in folders inside their class folder."


def _repeated(*parts: np.ndarray) -> Iterator[str]:
    """Say how many images of validation and test are pixel for pixel among those of training."""
    train, *others = ([hash(image.tobytes()) for image in part] for part in parts)
    known = set(train)
    for name, hashes in zip(("validation", "test"), others, strict=True):
        if count := sum(each in known for each in hashes):
            yield f"{count:,} {name} images equal a training image pixel for pixel; they were kept."
