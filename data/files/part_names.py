"""What users call the parts of a split, in names of files, folders, keys and cells."""

from __future__ import annotations

import re

PARTS = {
    "train": ("train", "training"),
    "valid": ("valid", "val", "validation", "dev", "development"),
    "test": ("test", "testing", "eval"),
}
PART_OF = {alias: part for part, aliases in PARTS.items() for alias in aliases}


def part_named(name: str) -> str | None:
    """Tell which part a name is of, such as "20news-bydate-test"; None for none or several."""
    words = re.split(r"[^a-z]+", name.lower())
    found = {PART_OF[word] for word in words if word in PART_OF}
    return found.pop() if len(found) == 1 else None
