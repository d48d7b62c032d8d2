"""Where item vectors live and how the nearest are found: the engines behind `VectorIndex`.

Each engine builds, changes, searches, saves and loads in its own format. `VectorIndex` in
`common.retrieval` checks what comes in and shapes what goes out, so an engine sees float32 vectors,
ids that are not yet there (or all there, to remove), and a `k` of at most its size.

    flat ivf hnsw pq ivf-pq   `faiss_store`: a library in the process, one file
    milvus                    `milvus_store`: a database, embedded or a server
    scann                     `scann_store`: a library in the process, a folder

Shapes: `B` queries, `N` vectors, `K` found, `D` dimensions.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Literal, NoReturn, Protocol, get_args

import numpy as np

IndexKind = Literal["flat", "ivf", "hnsw", "pq", "ivf-pq", "milvus", "scann"]
KINDS: tuple[IndexKind, ...] = get_args(IndexKind)
EXTRAS = {"milvus": ("pymilvus", "milvus_lite"), "scann": ("scann",)}
LEAST = {"ivf": 1, "pq": 2, "ivf-pq": 2}
"""How many vectors a kind needs to learn its cells and codes from; the others need none."""


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


def installed(kind: str) -> bool:
    """Whether the packages that `kind` needs are there; nothing is imported."""
    return _missing(kind) is None


def make_store(kind: IndexKind, *, probes: int, search_width: int, uri: str | None) -> VectorStore:
    """Make the engine of `kind`; raises `ModuleNotFoundError` naming the extra it lacks."""
    lacking = _missing(kind)
    if lacking:
        raise ModuleNotFoundError(
            f"kind: {kind!r} needs the package {lacking.replace('_', '-')}, which is not installed;"
            f" run: pip install 'ml-system-patterns[{kind}]'"
        )
    if kind == "milvus":
        from common.vector_store.milvus_store import MilvusStore

        return MilvusStore(search_width=search_width, uri=uri)
    if kind == "scann":
        from common.vector_store.scann_store import ScannStore

        return ScannStore(probes=probes)
    from common.vector_store.faiss_store import FaissStore

    return FaissStore(kind, probes=probes, search_width=search_width)


def cells_for(count: int) -> int:
    """How many k-means cells suit `count` vectors: 4 sqrt(N), at least 39 vectors in each."""
    return int(np.clip(4 * np.sqrt(count), 1, max(1, count // 39)))


def unsupported(kind: str, deed: str, remedy: str) -> NoReturn:
    """Raise what says that a kind cannot do something and what can."""
    raise ValueError(f"kind: {kind!r} cannot {deed}; {remedy}")


def _missing(kind: str) -> str | None:
    return next((name for name in EXTRAS.get(kind, ()) if find_spec(name) is None), None)
