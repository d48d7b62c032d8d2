"""Image files with their labels, found in class folders or listed in a CSV; none is opened here.

    <class>/<image>                               parts are drawn
    train/<class>/<image>, val/…, test/…          parts are kept; one that is missing is drawn
    a folder for each of train, valid and test    likewise
    labels.csv: file, label[, split][, group]     images in a folder of their own

Folders inside a class folder belong to the class. Hidden files (of a dot) are not looked at; files
that are no images are counted.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from common.images import SUFFIXES
from common.own_files import TableOptions
from data.files.columns import Columns
from data.files.folders import checked_folder, folders
from data.files.layouts import check_layout
from data.files.reader import read_table

PARTS = {
    "train": ("train", "training"),
    "valid": ("valid", "val", "validation", "dev"),
    "test": ("test", "testing"),
}
PART_OF = {alias: part for part, aliases in PARTS.items() for alias in aliases}
DRAWN = ""  # the part of a file that none was given for


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
    checked_folder(root)
    check_layout(root, "classes")
    inside = {name.lower(): root / name for name in folders(root)}
    given = {PART_OF[name]: path for name, path in inside.items() if name in PART_OF}
    if "train" not in given:
        return files_in_parts({DRAWN: root})
    for name, path in inside.items():
        if name not in PART_OF and any(_is_image(file) for file in _walk(path)):
            train = given["train"].name
            raise ValueError(
                f"{root}: {path.name!r} lies beside {train!r}. If {train!r} is a class too, give "
                f"--data.train {root}; else give the parts one by one, or move the folder away."
            )
    said = []
    if "valid" in given and "test" not in given:
        given["test"] = given.pop("valid")
        said = [f"{given['test'].name}/ is the test part, since there is no test/."]
    found = files_in_parts(given)
    found.said += said
    return found


def files_in_parts(parts: Mapping[str, Path]) -> LabelledFiles:
    """List the class folders of each part; those of training decide which classes there are."""
    found = LabelledFiles()
    first = parts["train"] if "train" in parts else parts[DRAWN]
    classes = _classes(first)
    for part, root in parts.items():
        unseen = sorted(set(folders(checked_folder(root))) - set(classes))
        if unseen:
            raise ValueError(
                f"{root / unseen[0]}: no class of that name in {first}. Add images of it there, "
                "or remove the folder."
            )
        for name in folders(root):
            _add(found, root / name, name, part)
        if part == "train" or part == DRAWN:
            _check_none_empty(root, classes, found)
    return found


def files_in_list(
    path: Path, root: Path, *, file: str = "file", label: str = "label", options: TableOptions
) -> LabelledFiles:
    """List the images of a CSV: a name below `root`, with or without its ending, and a label.

    A column `split` (train, valid, test) keeps a split, a column `group` keeps images together.
    """
    table = read_table(path, options, wanted={"file": file, "label": label})
    there = [name for name in ("split", "group") if name in table.frame.columns]
    optional: dict[str, str] = {name: name for name in there}
    read = Columns(table, {"file": file, "label": label, **optional})
    texts = {argument: read.filled(argument) for argument in ("file", "label", *optional)}
    by_name = _by_name(checked_folder(root))
    names = read.unique("file").str.strip_prefix("./")
    unknown = ~names.is_in(list(by_name)) & (names != "")
    read.fault("file", unknown, f"which is no image below {root} (--data.path)")
    if optional.get("split"):
        strange = ~texts["split"].str.to_lowercase().is_in(list(PART_OF)) & (texts["split"] != "")
        read.fault("split", strange, "not train, valid or test")
    read.check()
    if texts["label"].n_unique() < 2:
        raise ValueError(f"{path}: column {label!r} holds one class; two are needed.")
    unlisted = len(set(by_name.values())) - len(names)
    said = [f"{unlisted:,} images below {root} are not listed."] if unlisted else []
    parts = texts["split"].str.to_lowercase().to_list() if "split" in texts else None
    return LabelledFiles(
        files=[by_name[name] for name in names],
        labels=texts["label"].to_list(),
        parts=[DRAWN] * len(names) if parts is None else [PART_OF[part] for part in parts],
        names=names.to_list(),
        groups=texts["group"].to_list() if "group" in texts else None,
        said=[*read.notes(), *said],
    )


def _by_name(root: Path) -> dict[str, Path]:
    """Return the images below a folder under their relative names, with and without ending."""
    images = [path for path in _walk(root) if _is_image(path)]
    bare = {path.relative_to(root).with_suffix("").as_posix(): path for path in images}
    return bare | {path.relative_to(root).as_posix(): path for path in images}


def _classes(root: Path) -> tuple[str, ...]:
    names = folders(checked_folder(root))
    if len(names) >= 2:
        return names
    inner = root / names[0] if names else root
    remedy = "Sort the images into them, or give a table of labels by --data.labels."
    if len(folders(inner)) >= 2:
        remedy = f"Give --data.path {inner}, which has more."
    raise ValueError(
        f"{root}: {len(names)} sub-folders; each class needs one, and two classes are needed. "
        + remedy
    )


def _add(found: LabelledFiles, folder: Path, label: str, part: str) -> None:
    """Append the images of a class folder, those of folders inside it too."""
    for path in _walk(folder):
        if not _is_image(path):
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


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES


def _walk(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder in order, hidden ones left out."""
    for inner, inside, files in os.walk(folder):
        inside[:] = sorted(name for name in inside if name[0] != "." and name != "__MACOSX")
        yield from (Path(inner) / name for name in sorted(files) if name[0] != ".")
