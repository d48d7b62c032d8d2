"""Image files with their labels, found in class folders or listed in a CSV; none is opened here.

    <class>/<image>                               parts are drawn
    train/<class>/<image>, val/…, test/…          parts are kept; one that is missing is drawn
    a folder for each of train, valid and test    likewise
    a list for each of them: <class>/<image>      images in a folder of their own
    labels.csv: file, label[, split][, group]     likewise

Folders inside a class folder belong to the class. Hidden files (of a dot) are not looked at; files
that are no images are counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from common.own_files import TableOptions
from data.files.class_folders import above_classes, class_folders, class_roots, no_class_folders
from data.files.columns import Columns
from data.files.faults import FaultsOfFolder
from data.files.folders import checked_folder, folders, images_below, is_image, walk
from data.files.layouts import check_layout
from data.files.lists import entry, rows_of
from data.files.part_names import DRAWN, part_of
from data.files.reader import read_table


@dataclass
class LabelledFiles:
    """N image files: each with its label, its part and its name, by which groups are told."""

    files: list[Path] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    groups: list[str] | None = None
    other: list[Path] = field(default_factory=list)
    """Files beside the images that are none."""
    nested: int = 0
    """Images that lie in a folder inside their class folder."""
    said: list[str] = field(default_factory=list)
    """How the files were taken, where that is not plain."""


def files_in_folder(root: Path) -> LabelledFiles:
    """List class folders, or those below train/, val/ and test/; val/ without test/ is the test."""
    instead = f". If its folders are classes of images, give --data.train {root}."
    check_layout(checked_folder(root), "classes", instead=instead)
    roots, said = class_roots(root)
    found = files_in_parts(roots)
    found.said += said
    return found


def files_in_parts(parts: Mapping[str, Path]) -> LabelledFiles:
    """List the class folders of each part; those of training decide which classes there are."""
    found = LabelledFiles()
    first = parts["train"] if "train" in parts else parts[DRAWN]
    classes = _classes(first)
    for part, folder in parts.items():
        root = folder if folder == first else above_classes(checked_folder(folder))
        unseen = sorted(set(class_folders(root)) - set(classes))
        if unseen:
            raise ValueError(
                f"{root / unseen[0]}: no class of that name in {first}. Add images of it there, "
                "or remove the folder."
            )
        if not folders(root):
            raise no_class_folders(root, 0)
        for name in folders(root):
            _add(found, root / name, name, part)
        if folder == first:
            _check_none_empty(root, classes, found)
    return found


def files_in_lists(lists: Mapping[str, Path], root: Path | None) -> LabelledFiles:
    """List the images that a list of each part names below `root`; their folder is their class."""
    if root is None:
        raise ValueError(f"{next(iter(lists.values()))}: a list of images, so give the folder of "
                         "them too, by --data.path.")  # fmt: skip
    by_name = {path.relative_to(root).as_posix(): path for path in images_below(root)}
    by_name |= {path.relative_to(root).with_suffix("").as_posix(): path
                for path in by_name.values()}  # fmt: skip
    found, faults = LabelledFiles(), FaultsOfFolder()
    for part, file in lists.items():
        for row, line in rows_of(file):
            path = entry(line, by_name)
            if path is None or path.parent == root:
                faults.add(f"{file}, row {row}: {line!r} is no image in a class folder below {root}"
                           " (--data.path). Correct it, or remove the row.")  # fmt: skip
                continue
            found.files.append(path)
            found.labels.append(path.relative_to(root).parts[0])
            found.parts.append(part)
            found.names.append(path.relative_to(root / found.labels[-1]).as_posix())
    faults.check()
    _check_lists(found, lists)
    return found


def _check_lists(found: LabelledFiles, lists: Mapping[str, Path]) -> None:
    """Raise for an image that is listed twice, and for classes that training lacks."""
    seen: dict[Path, str] = {}
    for path, part in zip(found.files, found.parts, strict=True):
        if path in seen:
            raise ValueError(f"{path}: it is listed twice, in {seen[path]} and in {part}. Keep it "
                             "in one part, once.")  # fmt: skip
        seen[path] = part
    by_part = {part: {label for label, of in zip(found.labels, found.parts, strict=True)
                      if of == part} for part in lists}  # fmt: skip
    unseen = sorted(set(found.labels) - by_part.get("train", set()))
    if unseen:
        raise ValueError(f"class {unseen[0]!r} is in no image of {lists.get('train')}. Add some to "
                         "the list of --data.train, or remove the class.")  # fmt: skip


def files_in_table(
    path: Path,
    root: Path,
    *,
    file: str = "file",
    label: str = "label",
    group: str | None = None,
    options: TableOptions,
) -> LabelledFiles:
    """List the images of a CSV: a name below `root`, with or without its ending, and a label.

    A column `split` (train, valid, test) keeps a split; a column `group`, or the one that `group`
    names, keeps images together.
    """
    table = read_table(path, options, wanted={"file": file, "label": label})
    columns = table.frame.columns
    optional = {"split": "split", "group": group if group in columns else "group"}
    optional = {name: str(column) for name, column in optional.items() if column in columns}
    read = Columns(table, {"file": file, "label": label, **optional})
    texts = {argument: read.filled(argument) for argument in ("file", "label", *optional)}
    by_name = _by_name(checked_folder(root))
    names = read.unique("file").str.strip_prefix("./")
    unknown = ~names.is_in(list(by_name)) & (names != "")
    read.fault("file", unknown, f"which names no image below {root} (--data.path)")
    parts: list[str | None] = []
    if "split" in texts:
        parts = [part_of(cell) for cell in texts["split"]]
        strange = pl.Series([part is None for part in parts]) & (texts["split"] != "")
        read.fault("split", strange, "not train, valid or test")
    read.check()
    if texts["label"].n_unique() < 2:
        raise ValueError(f"{path}: column {label!r} holds one class; two are needed.")
    unlisted = len(set(by_name.values())) - len(names)
    said = [f"{unlisted:,} images below {root} are not listed."] if unlisted else []
    return LabelledFiles(
        files=[by_name[name] for name in names],
        labels=texts["label"].to_list(),
        parts=[part or DRAWN for part in parts] or [DRAWN] * len(names),
        names=names.to_list(),
        groups=texts["group"].to_list() if "group" in texts else None,
        said=[*read.notes(), *said],
    )


def _by_name(root: Path) -> dict[str, Path]:
    """Return the images below a folder under their relative names and, if unique, their own."""
    images = list(images_below(root))
    own = [name for path in images for name in {path.name, path.stem}]
    unique = {name for name, count in Counter(own).items() if count == 1}
    found = {name: path for path in images for name in {path.name, path.stem} & unique}
    found |= {path.relative_to(root).with_suffix("").as_posix(): path for path in images}
    return found | {path.relative_to(root).as_posix(): path for path in images}


def _classes(root: Path) -> tuple[str, ...]:
    names = folders(checked_folder(root))
    if len(names) >= 2:
        return names
    raise no_class_folders(root, len(names))


def _add(found: LabelledFiles, folder: Path, label: str, part: str) -> None:
    """Append the images of a class folder, those of folders inside it too."""
    for path in walk(folder):
        if not is_image(path):
            found.other.append(path)
            continue
        found.nested += path.parent != folder
        found.files.append(path)
        found.labels.append(label)
        found.parts.append(part)
        found.names.append(path.relative_to(folder).as_posix())


def _check_none_empty(root: Path, classes: tuple[str, ...], found: LabelledFiles) -> None:
    empty = [name for name in classes if name not in set(found.labels)]
    if empty:
        folder = root / empty[0]
        other = sorted({path.suffix for path in found.other if path.is_relative_to(folder)})
        instead = f", only {', '.join(other)}: save them as PNG or JPEG" if other else ""
        raise ValueError(f"{folder}: no image in it{instead}. Add some or remove the folder.")
