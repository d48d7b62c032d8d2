"""Which part of a split a name stands for: of a folder, a list, a file, a key or a cell."""

from __future__ import annotations

import re
from typing import TypeVar

PARTS = ("train", "valid", "test")
DRAWN = ""  # the part of what none was given for
PART_NAMES = {
    "train": ("train", "training", "trainval"),
    "valid": ("val", "valid", "validation", "dev", "development"),
    "test": ("test", "testing", "eval"),
}
PART_OF = {name: part for part, names in PART_NAMES.items() for name in names}
Given = TypeVar("Given")


def part_of(name: str) -> str | None:
    """Return the part that a name stands for: "val2017" is valid; None for another name."""
    return PART_OF.get(name.lower().strip("_-. 0123456789"))


def part_in(name: str) -> str | None:
    """Return the part that a word of a name stands for: "instances_val2017.json" is valid."""
    return next(filter(None, map(part_of, words_of(name))), None)


def part_named(name: str) -> str | None:
    """Return the one part that the words of a name stand for; None for none or several."""
    found = {PART_OF[word] for word in words_of(name) if word in PART_OF}
    return found.pop() if len(found) == 1 else None


def words_of(name: str) -> list[str]:
    """Return the words of a name in small letters: "PedMasks_1" is ped, masks."""
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)]


def held_out(given: dict[str, Given]) -> list[str]:
    """Make a validation part without a test part the test, and say so: its maker held it out.

    Only for parts that were found by their names; a part given by a flag is what the flag says.
    """
    if "valid" not in given or "test" in given or "train" not in given:
        return []
    given["test"] = given.pop("valid")
    return ["There is no test part, so the validation part is the test and is never trained on."]
