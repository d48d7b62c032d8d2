"""What the models read: the features of each part.

Shapes: `N` payments of a part, `F` features.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Inputs:
    """Features of each part, (N, F) float32."""

    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray
