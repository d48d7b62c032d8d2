"""What the readers of folders share: what lies in a folder, hidden files left out."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path

from common.images import SUFFIXES
from data.files.part_names import part_in


def checked_folder(path: Path) -> Path:
    """Return the folder, or raise where there is none."""
    if not path.is_dir():
        raise ValueError(f"{path}: no such folder. Name an existing one.")
    return path


def folders(root: Path) -> tuple[str, ...]:
    """Return the names of the folders inside, hidden ones left out."""
    with os.scandir(root) as entries:
        return tuple(sorted(each.name for each in entries if each.is_dir() and each.name[0] != "."))


def named(root: Path, names: Collection[str]) -> Iterator[Path]:
    """Yield the folders inside `root` of these names, whatever their case, in that order."""
    inside = {name.lower(): root / name for name in folders(root)}
    return (inside[name] for name in names if name in inside)


def entered(root: Path, stop: Collection[str]) -> Path:
    """Return the folder, or the only one in it if it is but a wrapper: VOCdevkit/VOC2012.

    A folder named as a part, or by one of `stop`, is no wrapper's content.
    """
    while True:
        inner = [name for name in folders(checked_folder(root)) if name[0] != "_"]
        if len(inner) != 1 or part_in(inner[0]) or inner[0].lower() in stop:
            return root
        if any(map(is_image, root.iterdir())):
            return root
        root = root / inner[0]


def inside(root: Path | None, path: Path) -> Path:
    """Return a path that the user gave, below `root` if it is there."""
    return root / path if root is not None and (root / path).exists() else path


def walk(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder in order, hidden ones left out."""
    for where, inner, files in os.walk(folder):
        inner[:] = sorted(name for name in inner if name[0] != "." and name != "__MACOSX")
        yield from (Path(where) / name for name in sorted(files) if name[0] != ".")


def is_image(path: Path) -> bool:
    """Tell an image by its ending."""
    return path.suffix.lower() in SUFFIXES


def images_below(folder: Path) -> Iterator[Path]:
    """Yield the images of a folder and below, by name."""
    return filter(is_image, walk(folder))


def has_images(folder: Path) -> bool:
    """Tell whether a folder holds an image, in it or below."""
    return next(images_below(folder), None) is not None
