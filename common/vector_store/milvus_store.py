"""Milvus, a vector database: embedded in a file for one process, or a server for many.

The same client speaks to both. Without `uri`, Milvus Lite runs inside the process on a working copy
of the database: an artifact on disk is never written to, and two processes may load the same one.
With `uri` (`http://host:19530`) the vectors live on the server, each build in a collection of its
own, so an older artifact still finds its vectors and can be rolled back to; what is saved is a
small file that names the collection.

The index is a graph (HNSW); the database keeps a log, so vectors come and go at any time. Source:
Wang et al., Milvus: A Purpose-Built Vector Data Management System, SIGMOD 2021. The extra is
`[milvus]`. Milvus Lite answers through a local socket, which takes milliseconds; see
`benchmarks/README.md`.
"""

from __future__ import annotations

import json
import logging
import secrets
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from pymilvus import DataType, MilvusClient

from common.atomic import write_json
from common.vector_store.base import BUILD_WIDTH, EDGES

BATCH = 2_000  # rows a message; a server takes at most 64 MiB
GRAPH = {"M": EDGES, "efConstruction": BUILD_WIDTH}
DATABASE, POINTER = "milvus.db", "milvus.json"


class MilvusStore:
    """One collection of a Milvus database."""

    def __init__(self, *, search_width: int, uri: str | None) -> None:
        self.search_width = search_width
        self.uri = uri
        self.ids_ = np.empty(0, np.int64)

    def build(self, ids: np.ndarray, vectors: np.ndarray) -> None:
        """Make a new collection and its graph."""
        self.width_ = vectors.shape[1]
        self.collection_ = f"items_{secrets.token_hex(6)}"
        self._connect(_workplace() if self.uri is None else None)
        schema = self.client_.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("id", DataType.INT64, is_primary=True)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=self.width_)
        self.client_.create_collection(self.collection_, schema=schema, consistency_level="Strong")
        self._insert(ids, vectors)
        self.client_.flush(self.collection_)
        index = self.client_.prepare_index_params()
        # nested: Milvus Lite does not read the graph's settings beside the others
        graph = {"params": json.dumps(GRAPH)}
        index.add_index("vector", index_type="HNSW", metric_type="IP", params=graph)
        self.client_.create_index(self.collection_, index)
        self._open()

    def add(self, ids: np.ndarray, vectors: np.ndarray) -> None:
        """Hold more vectors; they are found at once."""
        self._insert(ids, vectors)
        self.ids_ = np.concatenate([self.ids_, ids])

    def remove(self, ids: np.ndarray) -> None:
        """Forget vectors; they are not found from now on."""
        for part in _parts(len(ids)):
            self.client_.delete(self.collection_, ids=ids[part].tolist())
        self.ids_ = self.ids_[~np.isin(self.ids_, ids)]

    def search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return scores and ids (B, K)."""
        effort = {"ef": max(self.search_width, k)}
        found = self.client_.search(
            self.collection_,
            data=list(queries),
            limit=k,
            output_fields=["id"],
            search_params={"metric_type": "IP", "params": effort},
        )
        ids = np.full((len(queries), k), -1, dtype=np.int64)
        scores = np.full((len(queries), k), -np.inf, dtype=np.float32)
        for row, hits in enumerate(found):
            ids[row, : len(hits)] = [hit["id"] for hit in hits]
            scores[row, : len(hits)] = [hit["distance"] for hit in hits]
        return scores, ids

    def ids(self) -> np.ndarray:
        """Return the ids held (N,)."""
        return self.ids_

    def width(self) -> int:
        """Return D."""
        return self.width_

    def __len__(self) -> int:
        return len(self.ids_)

    def save(self, path: Path) -> None:
        """Write the database, or the name of a server's collection, into the folder `path`."""
        path.mkdir(parents=True, exist_ok=True)
        self.client_.flush(self.collection_)
        write_json(path / POINTER, {"collection": self.collection_, "width": self.width_})
        if self.workplace_:
            _disconnect(self.client_, self.workplace_)
            shutil.copytree(self.workplace_ / DATABASE, path / DATABASE)
            self._connect(self.workplace_)
            self._open()

    def load(self, path: Path) -> None:
        """Read what `save` wrote; an embedded database is copied and the copy is opened."""
        pointer = json.loads((path / POINTER).read_text(encoding="utf-8"))
        self.collection_, self.width_ = pointer["collection"], int(pointer["width"])
        workplace = None
        if self.uri is None:
            workplace = _workplace()
            shutil.copytree(path / DATABASE, workplace / DATABASE)
        self._connect(workplace)
        self._open()

    def _connect(self, workplace: Path | None) -> None:
        logging.getLogger("pymilvus").setLevel(logging.ERROR)  # it warns of what lite lacks
        self.workplace_ = workplace
        self.client_ = MilvusClient(str(workplace / DATABASE) if workplace else self.uri)
        if workplace:
            weakref.finalize(self, _clear, self.client_, workplace)

    def _open(self) -> None:
        """Load the collection for searching and learn which ids it holds."""
        self.client_.flush(self.collection_)
        self.client_.load_collection(self.collection_)
        pages = self.client_.query_iterator(self.collection_, filter="", output_fields=["id"])
        held: list[int] = []
        while page := pages.next():
            held += [row["id"] for row in page]
        pages.close()
        self.ids_ = np.array(held, dtype=np.int64)

    def _insert(self, ids: np.ndarray, vectors: np.ndarray) -> None:
        for part in _parts(len(ids)):
            pairs = zip(ids[part].tolist(), vectors[part], strict=True)
            rows = [{"id": item, "vector": vector} for item, vector in pairs]
            self.client_.insert(self.collection_, rows)


def _workplace() -> Path:
    return Path(tempfile.mkdtemp(prefix="milvus-"))


def _clear(client: Any, workplace: Path) -> None:
    _disconnect(client, workplace)
    shutil.rmtree(workplace, ignore_errors=True)


def _disconnect(client: Any, workplace: Path) -> None:
    """Close the client and the embedded server, which would go on for as long as the process."""
    from milvus_lite.server_manager import server_manager_instance

    client.close()
    server_manager_instance.release_server(str(workplace / DATABASE))


def _parts(count: int) -> Iterator[slice]:
    return (slice(start, start + BATCH) for start in range(0, count, BATCH))
