"""Who interacted with what, and when: the events that all learning starts from.

Shapes: `E` events, `U` users, `N` items, `C` context columns.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from patterns.recsys.entities.catalogue import no_column

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


@dataclass(frozen=True)
class Events:
    """Events in order of time; users and items are row numbers of the catalogue's tables."""

    users: np.ndarray  # (E,) int64
    items: np.ndarray  # (E,) int64
    ratings: np.ndarray  # (E,) float32, NaN where there is none
    times: np.ndarray  # (E,) int64 seconds
    minutes: np.ndarray = field(default_factory=no_column)
    """(E,) float32 watched, NaN where not known."""
    contexts: np.ndarray = field(default_factory=no_column)
    """(E, C) int64 codes of the device and of further context columns, 0 where not known."""
    weights: np.ndarray = field(default_factory=no_column)
    """(E,) float32 above 0: plays, quantity or the like, over their median; 1 where not known."""

    def __post_init__(self) -> None:
        """Fill in what the source does not know."""
        if not len(self.minutes):
            object.__setattr__(self, "minutes", np.full(len(self.users), np.nan, np.float32))
        if not len(self.contexts):
            object.__setattr__(self, "contexts", np.zeros((len(self.users), 1), np.int64))
        if not len(self.weights):
            object.__setattr__(self, "weights", np.ones(len(self.users), np.float32))

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
        """Return how much of each item each user had: (U, N), log2(1 + the sum of the weights).

        A pair of one event without a weight has 1.
        """
        return worth_of(self.users, self.items, self.weights, shape=(users, items))

    def pairs(self, users: int, items: int) -> csr_matrix:
        """Return who had what: (U, N) of 0 and 1; repeated events count once."""
        return as_pairs(self.matrix(users, items))

    def worth(self, users: int, items: int, values: np.ndarray) -> csr_matrix:
        """Return the latest known of `values` (E,) of each pair as a matrix (U, N)."""
        from scipy.sparse import csr_matrix

        known = np.flatnonzero(~np.isnan(values))[::-1]  # the latest first
        _, first = np.unique(self.users[known] * items + self.items[known], return_index=True)
        rows = known[first]
        parts = (values[rows].astype(np.float32), (self.users[rows], self.items[rows]))
        return csr_matrix(parts, shape=(users, items))


def worth_of(
    rows: np.ndarray, items: np.ndarray, weights: np.ndarray, *, shape: tuple[int, int]
) -> csr_matrix:
    """Return a matrix of log2(1 + the sum of `weights` (E,) of equal `rows` and `items` (E,))."""
    from scipy.sparse import csr_matrix

    matrix = csr_matrix((weights, (rows, items)), shape=shape)
    matrix.data = np.log2(1.0 + matrix.data)
    return matrix


def as_pairs(matrix: csr_matrix) -> csr_matrix:
    """Return a matrix with 1 wherever a value is stored."""
    pairs = matrix.copy()
    pairs.data = np.ones_like(matrix.data, dtype=np.float32)
    return pairs


def new_to(seen: csr_matrix, answers: csr_matrix) -> csr_matrix:
    """Return the 0/1 `answers` (B, N) without those that are `seen` (B, N)."""
    left = answers - answers.multiply(as_pairs(seen))
    left.eliminate_zeros()
    return left
