"""Splits drawn by a seed, where the user's files bring none."""

from __future__ import annotations

import numpy as np


def stratified_test_rows(labels: np.ndarray, *, test_share: float, seed: int) -> np.ndarray:
    """Draw the test rows of each class, (N,) bool; a class keeps at least one row for training."""
    if not 0 <= test_share < 1:
        raise ValueError(f"test_share: {test_share} is not in [0, 1). Choose, say, 0.2.")
    rng = np.random.default_rng(seed)
    in_test = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        count = min(round(test_share * len(rows)), len(rows) - 1)
        in_test[rng.permutation(rows)[:count]] = True
    if test_share and not in_test.any():
        raise ValueError(
            f"{len(labels)} rows are too few to set {test_share:.0%} of each class aside for the "
            "test. Add some, or give your own test file."
        )
    return in_test
