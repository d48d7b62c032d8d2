"""What logistic regression on a frozen encoder found, for a fine-tuning to begin with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Guide:
    """Weights and answers of a regression with C classes on N training texts."""

    weights: np.ndarray
    """(C, D), for vectors of length 1."""
    bias: np.ndarray
    """(C,)."""
    held_out: np.ndarray | None
    """Probabilities (N, C) of the training texts, each by a fit without it."""
