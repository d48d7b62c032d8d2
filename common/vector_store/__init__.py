"""Where item vectors live and how the nearest are found: the engines behind `VectorIndex`.

Each engine builds, changes, searches, saves and loads in its own format. `VectorIndex` in
`common.retrieval` checks what comes in and shapes what goes out, so an engine sees float32 vectors,
ids that are not yet there (or all there, to remove), and a `k` of at most its size.

    flat ivf hnsw pq ivf-pq   `faiss_store`: a library in the process, one file
    milvus                    `milvus_store`: a database, embedded or a server
    scann                     `scann_store`: a library in the process, a folder

Reading order: `base` (what every engine does), then the engines.
"""

from __future__ import annotations

from importlib.util import find_spec

from common.vector_store.base import KINDS, LEAST, IndexKind, VectorStore

__all__ = ["EXTRAS", "KINDS", "LEAST", "IndexKind", "VectorStore", "installed", "make_store"]

EXTRAS = {"milvus": ("pymilvus", "milvus_lite"), "scann": ("scann",)}


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


def _missing(kind: str) -> str | None:
    return next((name for name in EXTRAS.get(kind, ()) if find_spec(name) is None), None)
