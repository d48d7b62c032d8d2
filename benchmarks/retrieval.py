"""Recall against latency of every vector index at hand, and what our wrapper adds to FAISS.

    python -m benchmarks.retrieval           some minutes; keeps the result and renders the README
    python -m benchmarks.retrieval --smoke   seconds, small, keeps nothing

The vectors have the structure that factorisation gives: clusters of uneven size and norms with a
long tail, so that the search for the largest inner product is not that for the nearest neighbour.
A second table asks cells and graph again where the clusters overlap and cells fit less well. Each
index is built once and asked one query at a time, at several efforts. A query's time is the median
of three passes; median and p99 are over queries.

Shapes: `N` items, `Q` queries, `D` dimensions.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.timing import interleaved, is_smoke, keep, one_thread
from common import console
from common.evaluation.report import Report, Row, Table, figure
from common.retrieval import Candidates, VectorIndex
from common.vector_store import EXTRAS, KINDS, IndexKind, installed
from common.vectors import unit_rows
from data.tables import Source

if TYPE_CHECKING:
    from matplotlib.axes import Axes

K = 100
PASSES = 3
COLUMNS = (f"recall@{K}", "median ms", "p99 ms", "compared", "build s", "MiB on disk")
TIGHT, OVERLAPPING = 0.8, 2.0  # distance of an item from its center, as a share of that from 0
PROBES: list[dict[str, int]] = [{"probes": cells} for cells in (16, 64, 256)]
WIDTHS: list[dict[str, int]] = [{"search_width": width} for width in (128, 256, 512)]
EFFORTS: dict[IndexKind, list[dict[str, int]]] = {
    "flat": [{}],
    "ivf": PROBES,
    "hnsw": WIDTHS,
    "pq": [{}],
    "ivf-pq": PROBES,
    "milvus": WIDTHS[::2],
    "scann": PROBES,
}
PACKAGES = ("faiss-cpu", "pymilvus", "milvus-lite", "scann")


def main(arguments: Sequence[str]) -> int:
    """Measure, print, keep."""
    smoke = is_smoke("retrieval", __doc__ or "", arguments)
    one_thread()
    started = time.perf_counter()
    count, asked = (5_000, 50) if smoke else (100_000, 1_000)
    vectors, queries = world(count, asked)
    report = Report("retrieval", _source(count, asked), printed=3)
    console.header("benchmark retrieval", report.source, None)
    report.notices += [
        f"left out: {kind}, which is not installed: pip install 'ml-system-patterns[{kind}]'"
        for kind in EXTRAS
        if not installed(kind)
    ]
    for notice in report.notices:
        console.notice(notice)
    exact = VectorIndex().build(vectors).search(queries, K)
    rows = [
        row for kind in KINDS if installed(kind) for row in measure(kind, vectors, queries, exact)
    ]
    report.tables.append(Table("recall and latency", COLUMNS, tuple(rows), _caption(count)))
    report.tables.append(overlapping(count, asked))
    report.tables.append(against_faiss(vectors, queries, repeats=20 if smoke else 300))
    with figure(report, "recall against latency", "Up and left is better.") as axes:
        draw(axes, rows)
    for table in report.tables:
        console.table(table)
    if not smoke:
        keep("retrieval", report, started=started, packages=PACKAGES)
    return 0


def world(
    count: int,
    asked: int,
    *,
    spread: float = TIGHT,
    width: int = 64,
    clusters: int = 200,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Make items (N, D) and queries (Q, D): Zipf-sized clusters, log-normal norms of items."""
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(clusters, width))
    share = 1 / np.arange(1, clusters + 1)
    share /= share.sum()

    def around(size: int) -> np.ndarray:
        noise = spread * rng.normal(size=(size, width))
        drawn: np.ndarray = centers[rng.choice(clusters, size, p=share)] + noise
        return unit_rows(drawn)

    items = around(count) * rng.lognormal(sigma=0.5, size=(count, 1))
    return items.astype(np.float32), around(asked).astype(np.float32)


def measure(
    kind: IndexKind, vectors: np.ndarray, queries: np.ndarray, exact: Candidates
) -> list[Row]:
    """Build an index of `kind` once and search it at each effort."""
    rows = []
    with tempfile.TemporaryDirectory() as folder, console.stage(kind) as stage:
        path = Path(folder) / "items"
        start = time.perf_counter()
        built = VectorIndex(kind).build(vectors)
        seconds = time.perf_counter() - start
        built.save(path)
        mebibytes = _bytes(path) / 1024**2
        for effort in EFFORTS[kind]:
            index = VectorIndex(kind, **effort).load(path)  # type: ignore[arg-type]
            found, milliseconds = _one_by_one(index, queries)
            values = {
                COLUMNS[0]: _recall(found, exact.item_ids),
                COLUMNS[1]: float(np.median(milliseconds)),
                COLUMNS[2]: float(np.quantile(milliseconds, 0.99)),
                "build s": seconds,
                "MiB on disk": mebibytes,
            }
            if kind in ("flat", "ivf", "hnsw"):
                values["compared"] = compared(index, queries)
            rows.append(Row(_named(kind, effort), values, baseline=kind == "flat"))
        stage.note(f"built in {seconds:.1f} s")
    return rows


def overlapping(count: int, asked: int) -> Table:
    """Measure cells and graph where clusters overlap."""
    vectors, queries = world(count, asked, spread=OVERLAPPING)
    exact = VectorIndex().build(vectors).search(queries, K)
    kinds: tuple[IndexKind, ...] = ("flat", "ivf", "hnsw")
    rows = [row for kind in kinds for row in measure(kind, vectors, queries, exact)]
    caption = (
        "The same, where items lie further from the centers of their clusters than those from 0."
    )
    return Table("where clusters overlap", COLUMNS, tuple(rows), caption)


def compared(index: VectorIndex, queries: np.ndarray) -> float:
    """Return with how many vectors a query is compared, the centers of cells among them."""
    import faiss

    store: Any = index.store_
    if index.kind == "flat":
        return float(len(store))
    counted: Any = faiss.cvar
    counted.indexIVF_stats.reset()
    counted.hnsw_stats.reset()
    index.search(queries, K)
    cells = store.core_.nlist if index.kind == "ivf" else 0
    return float(cells + (counted.indexIVF_stats.ndis + counted.hnsw_stats.ndis) / len(queries))


def against_faiss(vectors: np.ndarray, queries: np.ndarray, *, repeats: int) -> Table:
    """Time our search and FAISS's own on the same index, in turns."""
    kinds: tuple[IndexKind, ...] = ("flat", "hnsw")
    rows = []
    for kind in kinds:
        index = VectorIndex(kind, search_width=128).build(vectors)
        for batch in (1, 64):
            rounds = repeats if batch == 1 else max(repeats // 5, 5)
            values = _ratio(index, np.ascontiguousarray(queries[:batch]), rounds)
            rows.append(Row(f"{kind}, batch of {batch}", values))
    caption = (
        "The same index asked through `VectorIndex` and by FAISS's own call, in turns; medians."
    )
    return Table("what our wrapper adds", ("FAISS ms", "ours ms", "ratio"), tuple(rows), caption)


def _ratio(index: VectorIndex, queries: np.ndarray, repeats: int) -> dict[str, float]:
    store: Any = index.store_
    raw = store.index_.index  # without the layer that maps ids
    calls = {"faiss": lambda: raw.search(queries, K), "ours": lambda: index.search(queries, K)}
    seconds = interleaved(calls, repeats=repeats)
    return {
        "FAISS ms": 1000 * seconds["faiss"],
        "ours ms": 1000 * seconds["ours"],
        "ratio": seconds["ours"] / seconds["faiss"],
    }


def draw(axes: Axes, rows: Sequence[Row]) -> None:
    """Draw one line a kind over its efforts."""
    for kind in dict.fromkeys(row.name.split()[0] for row in rows):
        own = [row.values for row in rows if row.name.split()[0] == kind]
        pairs = [(values[COLUMNS[1]], values[COLUMNS[0]]) for values in own]
        axes.plot(*zip(*pairs, strict=True), marker="o", label=kind)
    axes.set(xscale="log", xlabel="median ms a query, one thread", ylabel=COLUMNS[0])
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, ncols=7, loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False)


def _one_by_one(index: VectorIndex, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the ids (Q, K) and each query's milliseconds (Q,), the median of its passes."""
    for query in queries[:20]:
        index.search(query[None], K)
    times = np.empty((PASSES, len(queries)))
    found = np.empty((len(queries), K), np.int64)
    for attempt in range(PASSES):
        for row, query in enumerate(queries):
            start = time.perf_counter()
            found[row] = index.search(query[None], K).item_ids[0]
            times[attempt, row] = time.perf_counter() - start
    return found, 1000 * np.median(times, axis=0)


def _recall(found: np.ndarray, exact: np.ndarray) -> float:
    hits = [len(np.intersect1d(a, b)) for a, b in zip(found, exact, strict=True)]
    return float(np.sum(hits) / exact.size)


def _bytes(path: Path) -> int:
    files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    return sum(each.stat().st_size for each in files)


def _named(kind: str, effort: dict[str, int]) -> str:
    return " ".join([kind, *(f"{name}={value}" for name, value in effort.items())])


def _caption(count: int) -> str:
    return (
        f"{count:,} items of 64 dimensions, clustered, norms with a long tail. One query at a time,"
        f" one thread; a query's time is the median of {PASSES} passes. milvus is Milvus Lite,"
        " which is asked through a socket, as a server would be."
    )


def _source(count: int, asked: int) -> Source:
    return Source(
        name="simulated-vectors",
        origin="simulated",
        title="Simulated item vectors",
        licence="Generated by this project, Apache-2.0",
        checksums={},
        rows=f"{count:,} items, {asked:,} queries",
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
