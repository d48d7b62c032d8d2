"""What rankers learn from: the candidates a user was given, and which of them were taken.

Only retrieved candidates are examples, since only they can be shown; an answer that no source
found is the sources' miss and no ranker can mend it.

Legend: `B` requests, `K` candidates, `F` features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


@dataclass(frozen=True)
class Examples:
    """Candidates with their features and labels; padding has item id -1 and label 0."""

    features: np.ndarray  # (B, K, F) float32
    item_ids: np.ndarray  # (B, K) int64
    labels: np.ndarray  # (B, K) float32, 1 where the user took the item next

    def part(self, rows: np.ndarray) -> Examples:
        """Give some requests."""
        return Examples(self.features[rows], self.item_ids[rows], self.labels[rows])

    def flat(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Give features (R, F), item ids (R,) and labels (R,) of all that is not padding."""
        real = self.item_ids >= 0
        return self.features[real], self.item_ids[real], self.labels[real]


def labels_of(item_ids: np.ndarray, answers: csr_matrix) -> np.ndarray:
    """Mark the candidates (B, K) that are among the `answers` (B, N)."""
    width = answers.shape[1]
    keys = np.repeat(np.arange(answers.shape[0]), np.diff(answers.indptr)) * width + answers.indices
    wanted = np.arange(len(item_ids))[:, None] * width + item_ids
    return (np.isin(wanted, keys) & (item_ids >= 0)).astype(np.float32)
