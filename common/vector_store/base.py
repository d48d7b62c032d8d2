"""What an engine of vector search does, and what the engines share.

Shapes: `B` queries, `N` vectors, `K` found, `D` dimensions.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NoReturn, Protocol, get_args

import numpy as np

IndexKind = Literal["flat", "ivf", "hnsw", "pq", "ivf-pq", "milvus", "scann"]
KINDS: tuple[IndexKind, ...] = get_args(IndexKind)
LEAST = {"ivf": 1, "pq": 2, "ivf-pq": 2}
"""How many vectors a kind needs to learn its cells and codes from; the others need none."""
EDGES, BUILD_WIDTH = 64, 100
"""Edges of a vector in a graph, and the candidates they are chosen from. With 32 edges of clustered
vectors few lead out of a cluster, and a wider build leaves even fewer."""


class VectorStore(Protocol):
    """What an engine does."""

    def build(self, ids: np.ndarray, vectors: np.ndarray) -> None:
        """Learn from `vectors` (N, D) and hold them under `ids` (N,)."""

    def add(self, ids: np.ndarray, vectors: np.ndarray) -> None:
        """Hold more vectors; cells and codes stay as learned."""

    def remove(self, ids: np.ndarray) -> None:
        """Forget vectors; an engine that cannot raises."""

    def search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return scores and ids (B, K) of `queries` (B, D); id -1 where fewer were found."""

    def ids(self) -> np.ndarray:
        """Return the ids held (N,), in any order."""

    def width(self) -> int:
        """Return D."""

    def __len__(self) -> int: ...

    def save(self, path: Path) -> None:
        """Write the engine's own format."""

    def load(self, path: Path) -> None:
        """Read what `save` wrote."""


def cells_for(count: int) -> int:
    """Return how many k-means cells suit `count` vectors: 4 sqrt(N), at least 39 vectors each."""
    return int(np.clip(4 * np.sqrt(count), 1, max(1, count // 39)))


def unsupported(kind: str, operation: str, remedy: str) -> NoReturn:
    """Raise what says that a kind cannot do something and what can."""
    raise ValueError(f"kind: {kind!r} cannot {operation}; {remedy}")
