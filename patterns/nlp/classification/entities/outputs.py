"""What a classifier says of texts: logits, and their vectors, if it has any."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Outputs:
    """Logits (N, C) of N texts and, of an encoder, their vectors (N, D)."""

    logits: np.ndarray
    vectors: np.ndarray | None = None
