"""Lists of images: a name a line, perhaps with its folder or its ending, perhaps with more behind.

    2007_000027          images/2007_000027.jpg          Abyssinian_1 1 1 1          # a comment

Names may hold spaces, so a whole line is looked up first and its first word last.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

NAMES = {
    "train": ("train", "training", "trainval"),
    "valid": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
FOLDERS = ("meta", "metadata", "lists", "splits", "split")  # where lists lie
Found = TypeVar("Found")


def lists_in(folders: Sequence[Path]) -> dict[str, Path]:
    """Return the list of each part in the first of the folders that has any."""
    for folder in folders:
        found: dict[str, Path] = {}
        for part, names in NAMES.items():
            files = filter(Path.is_file, [folder / f"{name}.txt" for name in names])
            if (file := next(files, None)) is not None:
                found[part] = file
        if found:
            return found
    return {}


def rows_of(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a list that hold something, with their numbers from 1."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: not a readable list ({error}). Save it as UTF-8.") from error
    for number, line in enumerate(lines, start=1):
        if line.strip() and not line.startswith("#"):
            yield number, line.strip()


def entry(line: str, known: Mapping[str, Found]) -> Found | None:
    """Return what `known` holds under the name in a line, or None."""
    for text in (line, line.split()[0]):
        whole = text.replace("\\", "/").lstrip("/")
        bare = whole.rpartition("/")[2]
        for name in (whole, whole.rpartition(".")[0], bare, bare.rpartition(".")[0]):
            if name in known:
                return known[name]
    return None
