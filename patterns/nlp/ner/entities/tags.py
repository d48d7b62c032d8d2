"""The tags of words in the BIO2 scheme, numbered, and which may follow which.

O is a word of no entity, B-x the first word of an entity of type x, I-x each further word of it
(Ramshaw & Marcus 1995; the form BIO2, in which every entity begins with B, is Sang & Veenstra's of
1999). I-x may follow B-x and I-x alone, so of C tags most pairs are allowed, but not all.

Shapes: C tags, 1 + 2 per type.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class TagSet:
    """The tags of some entity types, in the order O, B-x, I-x, B-y, I-y, …"""

    types: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Name of each tag."""
        return ("O", *(f"{prefix}-{kind}" for kind in self.types for prefix in "BI"))

    @cached_property
    def allowed(self) -> np.ndarray:
        """Whether tag j may follow tag i, (C, C) bool."""
        follows = np.ones((len(self), len(self)), dtype=bool)
        for inside in range(2, len(self), 2):
            follows[:, inside] = False
            follows[[inside - 1, inside], inside] = True
        return follows

    @cached_property
    def allowed_first(self) -> np.ndarray:
        """Whether a sentence may begin with the tag, (C,) bool."""
        return np.array([not name.startswith("I-") for name in self.names])

    def numbers(self, tags: Iterable[str]) -> np.ndarray:
        """Return names as numbers, (n,) int64; one that is not known raises `KeyError`."""
        return np.array([self._number[tag] for tag in tags], dtype=np.int64)

    def words(self, numbers: Sequence[int] | np.ndarray) -> list[str]:
        """Return numbers (n,) as names."""
        return [self.names[number] for number in numbers]

    @cached_property
    def _number(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.names)}
