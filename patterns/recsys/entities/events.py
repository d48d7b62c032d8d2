"""Who interacted with what, and when: the events that all learning starts from.

Shapes: `E` events, `U` users, `N` items.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from patterns.recsys.entities.catalogue import no_column

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

DAY = 86_400  # seconds


@dataclass(frozen=True)
class Events:
    """Events in order of time; users and items are row numbers of the catalogue's tables."""

    users: np.ndarray  # (E,) int64
    items: np.ndarray  # (E,) int64
    ratings: np.ndarray  # (E,) float32, NaN where there is none
    times: np.ndarray  # (E,) int64 seconds
    minutes: np.ndarray = field(default_factory=no_column)
    """(E,) float32 watched, NaN where not known."""
    devices: np.ndarray = field(default_factory=no_column)
    """(E,) int64 code of the device, 0 where not known."""

    def __post_init__(self) -> None:
        """Fill in what the source does not know."""
        if not len(self.minutes):
            object.__setattr__(self, "minutes", np.full(len(self.users), np.nan, np.float32))
        if not len(self.devices):
            object.__setattr__(self, "devices", np.zeros(len(self.users), np.int64))

    def __len__(self) -> int:
        return len(self.users)

    def part(self, rows: np.ndarray | slice) -> Events:
        """Return some rows."""
        return Events(*(column[rows] for column in self.__dict__.values()))

    def joined(self, later: Events) -> Events:
        """Return these events followed by `later` ones."""
        pairs = zip(self.__dict__.values(), later.__dict__.values(), strict=True)
        return Events(*(np.concatenate(pair) for pair in pairs))

    def matrix(self, users: int, items: int) -> csr_matrix:
        """Return the user-item matrix (U, N) of 0 and 1; repeated events count once."""
        from scipy.sparse import csr_matrix

        ones = np.ones(len(self), dtype=np.float32)
        matrix = csr_matrix((ones, (self.users, self.items)), shape=(users, items))
        matrix.data[:] = 1.0
        return matrix

    def worth(self, users: int, items: int, values: np.ndarray) -> csr_matrix:
        """Return the latest known of `values` (E,) of each pair as a matrix (U, N)."""
        from scipy.sparse import csr_matrix

        known = np.flatnonzero(~np.isnan(values))[::-1]  # the latest first
        _, first = np.unique(self.users[known] * items + self.items[known], return_index=True)
        rows = known[first]
        parts = (values[rows].astype(np.float32), (self.users[rows], self.items[rows]))
        return csr_matrix(parts, shape=(users, items))
