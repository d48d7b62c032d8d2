"""What rankers learn from: rows put before a user, which were clicked, and what they were worth.

Rows come in lists, one a request, since an order is learned within a request. In recommendation
they are retrieved candidates, since only they can be shown: an answer that no source found is the
sources' miss and no ranker can mend it. Or they are what a log says was shown (`exposures`). A
plain table of clicks is the case of lists of length one (`Examples.of_table`).

Shapes: `B` requests, `K` places of a list, `F` dense features, `C` categorical fields, `R` rows,
`N` items, `U` users.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from patterns.recsys.entities.events import Events

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


class Rows(NamedTuple):
    """Examples without their requests and without padding."""

    features: np.ndarray  # (R, F) float32
    codes: np.ndarray  # (R, C) int64
    labels: np.ndarray  # (R,) float32
    values: np.ndarray  # (R,) float32


@dataclass(frozen=True)
class Examples:
    """Lists of rows with their features and labels; padding is not `real` and has label 0."""

    features: np.ndarray  # (B, K, F) float32, NaN where not known
    codes: np.ndarray  # (B, K, C) int64, negative where not known
    labels: np.ndarray  # (B, K) float32, 1 where the user interacted with it next
    values: np.ndarray  # (B, K) float32, rating or minutes; NaN where there is none
    real: np.ndarray  # (B, K) bool

    @classmethod
    def of_items(
        cls, features: np.ndarray, item_ids: np.ndarray, labels: np.ndarray, values: np.ndarray
    ) -> Examples:
        """Make examples of items (B, K), -1 padded, whose one categorical field is their id."""
        return cls(features, item_ids[..., None], labels, values, item_ids >= 0)

    @classmethod
    def of_table(cls, features: np.ndarray, codes: np.ndarray, labels: np.ndarray) -> Examples:
        """Make a list of each row of a table: features (R, F), codes (R, C), labels (R,) 0 or 1."""
        labels = labels[:, None].astype(np.float32)
        return cls(
            features[:, None].astype(np.float32),
            codes[:, None].astype(np.int64),
            labels,
            np.full_like(labels, np.nan),
            np.ones(labels.shape, dtype=bool),
        )

    def part(self, rows: np.ndarray) -> Examples:
        """Return some requests."""
        return Examples(*(column[rows] for column in vars(self).values()))

    def thinned(self, negative_share: float, seed: int) -> Examples:
        """Keep the positives and a share of the rest; what is dropped becomes padding.

        Few candidates are clicked, so most examples teach the same. The odds among those left are
        1 / `negative_share` times the original ones.
        """
        drawn = np.random.default_rng(seed).random(self.labels.shape) < negative_share
        return replace(self, real=self.real & (drawn | (self.labels > 0)))

    def flat(self) -> Rows:
        """Return all that is not padding."""
        columns = (self.features, self.codes, self.labels, self.values)
        return Rows(*(column[self.real] for column in columns))


@dataclass(frozen=True)
class TrainingSet:
    """Examples, the folds of their users, and what each objective counts."""

    examples: Examples
    folds: np.ndarray  # (B,)
    worth: Mapping[str, np.ndarray]  # objective -> (B, K), all NaN where nothing is known

    def under(self, objective: str) -> Examples:
        """Return the examples with the values of an objective."""
        values = self.worth.get(objective, self.examples.values)
        return replace(self.examples, values=values)


def training_set(
    features: np.ndarray,
    item_ids: np.ndarray,
    labels: np.ndarray,
    users: np.ndarray,
    fold_of: np.ndarray,
    window: Events,
    shape: tuple[int, int],
) -> TrainingSet:
    """Join `features` (B, K, F) of `item_ids` (B, K) with what `users` (B,) did in `window`.

    `fold_of` (U,) tells each user's fold; `shape` is (U, N).
    """
    worth = {
        "watch": values_of(item_ids, window.worth(*shape, window.minutes)[users]),
        "rating": values_of(item_ids, window.worth(*shape, window.ratings)[users]),
    }
    examples = Examples.of_items(features, item_ids, labels, np.full_like(labels, np.nan))
    return TrainingSet(examples, fold_of[users], worth)


def labels_of(item_ids: np.ndarray, answers: csr_matrix) -> np.ndarray:
    """Mark the candidates (B, K) that are among the `answers` (B, N)."""
    keys, wanted = _keys(item_ids, answers)
    return (np.isin(wanted, keys) & (item_ids >= 0)).astype(np.float32)


def values_of(item_ids: np.ndarray, worth: csr_matrix) -> np.ndarray:
    """Look up what the candidates (B, K) were worth; NaN where `worth` (B, N) stores nothing.

    A stored zero is a worth of zero.
    """
    keys, wanted = _keys(item_ids, worth)
    if not len(keys):
        return np.full(item_ids.shape, np.nan, dtype=np.float32)
    order = np.argsort(keys, kind="stable")
    place = np.minimum(np.searchsorted(keys[order], wanted), len(keys) - 1)
    found = (keys[order][place] == wanted) & (item_ids >= 0)
    return np.where(found, worth.data[order][place], np.nan).astype(np.float32)


def _keys(item_ids: np.ndarray, matrix: csr_matrix) -> tuple[np.ndarray, np.ndarray]:
    """Return one number for each stored cell of `matrix` (B, N), and for each candidate (B, K)."""
    width = matrix.shape[1]
    keys = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr)) * width + matrix.indices
    return keys, np.arange(len(item_ids))[:, None] * width + item_ids
