"""Small operations on rows of vectors."""

from __future__ import annotations

import numpy as np

TINY = 1e-12  # a row shorter than this counts as zero


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """Divide the rows of (N, D) by their length; zero rows stay zero."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), TINY)
