"""What every model is: fitted on features and labels, it scores payments between 0 and 1.

Shapes: `N` payments, `F` features.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, Self

import numpy as np

Examples = tuple[np.ndarray, np.ndarray]  # features (N, F), labels (N,)


class Model(Protocol):
    """The rules and every learned model."""

    def fit(
        self, train: Examples, valid: Examples | None = None, weights: np.ndarray | None = None
    ) -> Self:
        """Fit on training examples and their weights (N,); `valid` is for early stopping."""

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Return the score of each row (N,), in [0, 1]."""

    def save(self, folder: Path) -> None:
        """Write the model into `folder`."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
