"""Every kind of vector index over time: vectors come and go, and it loads as it was saved."""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from vector_worlds import EVERY, FLOOR, of_kind, overlap, world

from common.retrieval import VectorIndex, top_k
from common.vector_store import IndexKind


@pytest.mark.parametrize("kind", EVERY)
@pytest.mark.parametrize("count", [300, 2_000])
def test_an_index_loads_as_it_was_saved(kind: IndexKind, count: int, tmp_path: Path) -> None:
    vectors, queries = world(count)
    index = VectorIndex(kind, probes=5, search_width=33).build(vectors, np.arange(count) * 3 + 1)
    index.add(np.array([0]), vectors[:1] * 9)
    index.save(tmp_path / "items")
    before = index.search(queries, 20)
    files = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert files and not [path for path in files if path.suffix == ".pkl"]
    loaded = VectorIndex(kind, probes=5, search_width=33).load(tmp_path / "items")
    after = loaded.search(queries, 20)
    np.testing.assert_array_equal(before.item_ids, after.item_ids)
    np.testing.assert_allclose(before.scores, after.scores, rtol=1e-6)  # scann: another order
    assert len(loaded) == count + 1

    again = index.search(queries, 20)  # saving did not disturb what is served
    np.testing.assert_array_equal(before.item_ids, again.item_ids)
    loaded.add(np.array([999_999]), vectors[:1] * 99)  # what was loaded can change ...
    assert loaded.search(vectors[:1], 1).item_ids.tolist() == [[999_999]]
    now = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert now == files  # ... and the artifact stays as it was signed


@pytest.mark.parametrize("kind", EVERY)
def test_vectors_come_and_go_while_served(kind: IndexKind) -> None:
    vectors, queries = world(2_000)
    index = VectorIndex(kind, probes=99).build(vectors[:1_500], np.arange(1_500))
    late = np.arange(1_500, 2_000)
    index.add(late, vectors[late])
    exact = top_k(queries @ vectors.T, 10).item_ids
    assert len(index) == 2_000
    assert overlap(index.search(queries, 10).item_ids, exact) >= FLOOR[kind]

    star = np.array([5_000])
    index.add(star, 50 * queries[:1])
    assert index.search(queries[:1], 3).item_ids[0, 0] == 5_000
    if kind == "hnsw":
        with pytest.raises(ValueError, match=f"'{kind}' cannot remove; use flat, ivf"):
            index.remove(star)
        return
    gone = np.append(np.arange(0, 2_000, 2), 5_000)
    index.remove(gone)
    assert len(index) == 1_000
    found = index.search(queries, 10).item_ids
    assert (found % 2 == 1).all()
    odd = np.arange(1, 2_000, 2)
    exact = odd[top_k(queries @ vectors[odd].T, 10).item_ids]
    assert overlap(found, exact) >= FLOOR[kind]
    index.add(star, 50 * queries[1:2])  # an id that was freed may come back, with a new vector
    assert index.search(queries[1:2], 1).item_ids.tolist() == [[5_000]]


@pytest.mark.parametrize("kind", EVERY)
def test_what_does_not_fit_is_named(kind: IndexKind) -> None:
    vectors, _ = world(100)
    index = VectorIndex(kind).build(vectors)
    with pytest.raises(ValueError, match="ids: 3 is already in the index; remove it first"):
        index.add(np.array([100, 3]), vectors[:2])
    with pytest.raises(ValueError, match="ids: 100 is not in the index"):
        index.remove(np.array([3, 100]))
    with pytest.raises(ValueError, match="vectors: have 15 dimensions, the index has 16"):
        index.add(np.array([100]), vectors[:1, :15])
    with pytest.raises(ValueError, match="ids: contain a duplicate"):
        index.add(np.array([100, 100]), vectors[:2])
    assert len(index) == 100  # a refused change changes nothing


def test_searches_go_on_while_vectors_are_added() -> None:
    vectors, queries = world(3_000)
    index = VectorIndex("ivf", probes=99).build(vectors[:1_000])
    problems: list[BaseException] = []
    done = threading.Event()

    def search() -> None:
        try:
            while not done.is_set():
                found = index.search(queries, 5)
                assert (found.item_ids >= 0).all()
        except BaseException as problem:  # told by the assertion below
            problems.append(problem)

    threads = [threading.Thread(target=search) for _ in range(2)]
    for thread in threads:
        thread.start()
    for item in range(1_000, 3_000, 20):
        index.add(np.arange(item, item + 20), vectors[item : item + 20])
    done.set()
    for thread in threads:
        thread.join()
    assert not problems
    exact = top_k(queries @ vectors.T, 5).item_ids
    assert overlap(index.search(queries, 5).item_ids, exact) == 1.0


@pytest.mark.parametrize("kind", [of_kind("scann")])
def test_a_pickle_in_the_folder_is_refused(kind: IndexKind, tmp_path: Path) -> None:
    vectors, _ = world(50)
    VectorIndex(kind).build(vectors).save(tmp_path)
    (tmp_path / "scann_docids.pkl").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(ValueError, match="is a pickle, which can run code; build the index again"):
        VectorIndex(kind).load(tmp_path)


@pytest.mark.parametrize("kind", [of_kind("milvus")])
def test_a_server_holds_the_vectors_of_each_build(kind: IndexKind, tmp_path: Path) -> None:
    """The same client against a server of its own: what is saved is a name, older builds stay."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = str(tmp_path / "server")
    command = [sys.executable, "-m", "milvus_lite", "server", "--data-dir", folder]
    server = subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(port, server)
        uri = f"http://127.0.0.1:{port}"
        vectors, queries = world(300)
        index = VectorIndex(kind, uri=uri).build(vectors)
        index.save(tmp_path / "old")
        before = index.search(queries, 5)
        index.build(vectors[:10]).save(tmp_path / "new")
        assert [path.name for path in (tmp_path / "old").rglob("*")] == ["milvus.json"]
        names = {
            json.loads((tmp_path / run / "milvus.json").read_text())["collection"]
            for run in ("old", "new")
        }
        assert len(names) == 2
        older = VectorIndex(kind, uri=uri).load(tmp_path / "old").search(queries, 5)
        np.testing.assert_array_equal(older.item_ids, before.item_ids)
        assert len(VectorIndex(kind, uri=uri).load(tmp_path / "new")) == 10
    finally:
        server.terminate()
        server.wait(20)


def _wait_for(port: int, server: "subprocess.Popen[bytes]") -> None:
    import socket

    for _ in range(300):
        assert server.poll() is None, f"the server ended with {server.returncode}"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the server was not ready within half a minute")
