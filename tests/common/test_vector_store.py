"""Every kind of vector index, held to one behaviour: planted neighbours, changes, save and load."""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from common import vector_store
from common.retrieval import MISSING, VectorIndex, top_k
from common.vector_store import KINDS, LEAST, IndexKind


def of_kind(kind: IndexKind) -> object:
    packages = " and ".join(vector_store.EXTRAS.get(kind, ()))
    reason = f"{packages} not installed: pip install 'ml-system-patterns[{kind}]'"
    return pytest.param(kind, marks=pytest.mark.skipif(not installed(kind), reason=reason))


installed = vector_store.installed
EVERY = [of_kind(kind) for kind in KINDS]
# Of the exact ten: codes order near neighbours loosely.
FLOOR = {"flat": 1.0, "ivf": 0.9, "hnsw": 0.9, "pq": 0.6, "ivf-pq": 0.6}
FLOOR |= {"milvus": 0.9, "scann": 0.85}


def world(count: int, width: int = 16, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Give clustered vectors of uneven length, as of factorisation, and queries near them."""
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(20, width))
    vectors = centers[rng.integers(20, size=count)] + 0.5 * rng.normal(size=(count, width))
    vectors *= rng.lognormal(sigma=0.3, size=(count, 1))
    queries = centers[rng.integers(20, size=40)] + 0.5 * rng.normal(size=(40, width))
    return vectors.astype(np.float32), queries.astype(np.float32)


def overlap(found: np.ndarray, exact: np.ndarray) -> float:
    pairs = zip(found.tolist(), exact.tolist(), strict=True)
    return float(np.mean([len(set(a) & set(b)) / len(b) for a, b in pairs]))


@pytest.mark.parametrize("kind", EVERY)
def test_planted_neighbours_are_found_first(kind: IndexKind) -> None:
    vectors, _ = world(2_000)
    planted = np.arange(100, 2_000, 190)
    vectors[planted] *= 8 / np.linalg.norm(vectors[planted], axis=1, keepdims=True)
    queries = vectors[planted] / 8
    others = np.delete(np.arange(2_000), planted)
    vectors[others] /= np.linalg.norm(vectors[others], axis=1, keepdims=True)
    exact = top_k(queries @ vectors.T, 1).item_ids
    assert exact[:, 0].tolist() == planted.tolist()
    assert VectorIndex(kind).build(vectors).search(queries, 1).item_ids.tolist() == exact.tolist()


@pytest.mark.parametrize("kind", EVERY)
def test_recall_of_the_exact_search_has_a_floor(kind: IndexKind) -> None:
    vectors, queries = world(4_000)
    exact = top_k(queries @ vectors.T, 10).item_ids
    found = VectorIndex(kind).build(vectors).search(queries, 10)
    assert overlap(found.item_ids, exact) >= FLOOR[kind]
    assert (np.diff(found.scores, axis=1) <= 1e-5).all()  # best first
    assert found.item_ids.dtype == np.int64 and found.scores.dtype == np.float32
    if kind not in ("pq", "ivf-pq"):  # all others answer with exact products
        products = np.take_along_axis(queries @ vectors.T, found.item_ids, axis=1)
        np.testing.assert_allclose(found.scores, products, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", EVERY)
def test_more_effort_finds_no_less(kind: IndexKind) -> None:
    vectors, queries = world(4_000)
    exact = top_k(queries @ vectors.T, 10).item_ids
    found = [
        VectorIndex(kind, probes=effort, search_width=4 * effort)
        .build(vectors)
        .search(queries, 10)
        .item_ids
        for effort in (1, 100)
    ]
    little, much = (overlap(item_ids, exact) for item_ids in found)
    assert much >= little
    if kind in ("ivf", "ivf-pq", "scann"):
        assert much > little + 0.1  # `probes` reaches the engine


@pytest.mark.parametrize("kind", EVERY)
def test_two_builds_are_equal(kind: IndexKind) -> None:
    vectors, queries = world(2_500)
    first, second = (VectorIndex(kind).build(vectors).search(queries, 30) for _ in range(2))
    np.testing.assert_array_equal(first.item_ids, second.item_ids)
    np.testing.assert_array_equal(first.scores, second.scores)


@pytest.mark.parametrize("kind", EVERY)
def test_a_batch_is_that_of_each(kind: IndexKind) -> None:
    vectors, queries = world(2_500)
    index = VectorIndex(kind).build(vectors)
    batch = index.search(queries[:8], 20)
    each = [index.search(query[None], 20).item_ids[0] for query in queries[:8]]
    assert overlap(batch.item_ids, np.stack(each)) > 0.99  # sums in another order may swap equals


@pytest.mark.parametrize("kind", EVERY)
def test_k_beyond_the_catalogue_and_padding(kind: IndexKind) -> None:
    vectors, queries = world(40)
    found = VectorIndex(kind, probes=1).build(vectors).search(queries, 99)
    assert found.item_ids.shape == found.scores.shape == (40, 40)
    missing = found.item_ids == MISSING
    assert (np.isneginf(found.scores) == missing).all()
    assert (np.diff(missing.astype(int), axis=1) >= 0).all()  # padding is last
    for row in found.item_ids.tolist():
        shown = [item for item in row if item != MISSING]
        assert shown and len(set(shown)) == len(shown) and set(shown) <= set(range(40))
    assert VectorIndex(kind).build(vectors).search(queries, 0).item_ids.shape == (40, 0)
    assert VectorIndex(kind).build(vectors).search(queries[:0], 3).item_ids.shape == (0, 3)


@pytest.mark.parametrize("kind", [kind for kind in EVERY if kind.values[0] != "flat"])  # type: ignore[attr-defined]
def test_too_few_probes_give_padding_never_an_invented_item(kind: IndexKind) -> None:
    vectors, queries = world(2_000)
    found = VectorIndex(kind, probes=1, search_width=1).build(vectors).search(queries, 1_500)
    assert (np.isneginf(found.scores) == (found.item_ids == MISSING)).all()
    for row in found.item_ids.tolist():
        shown = [item for item in row if item != MISSING]
        assert len(set(shown)) == len(shown)


@pytest.mark.parametrize("kind", EVERY)
def test_an_empty_catalogue_finds_nothing_and_can_grow_or_says_what_it_needs(
    kind: IndexKind,
) -> None:
    nothing = np.zeros((0, 4), np.float32)
    if kind in LEAST:
        with pytest.raises(ValueError, match=f"'{kind}' needs {LEAST[kind]} or more"):
            VectorIndex(kind).build(nothing)
        return
    index = VectorIndex(kind).build(nothing)
    assert len(index) == 0 and index.search(np.ones((3, 4)), 5).item_ids.shape == (3, 0)
    index.add(np.array([7]), np.ones((1, 4)))
    assert index.search(np.ones((1, 4)), 5).item_ids.tolist() == [[7]]


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


def test_what_cannot_be_an_index_is_named(tmp_path: Path) -> None:
    vectors, _ = world(4)
    with pytest.raises(ValueError, match=r"ids: shape \(3,\) for vectors \(4, 16\)"):
        VectorIndex().build(vectors, np.arange(3))
    with pytest.raises(ValueError, match="ids: -1 is below 0"):
        VectorIndex().build(vectors, np.arange(-1, 3))
    with pytest.raises(ValueError, match="ids: are float64; give whole numbers"):
        VectorIndex().build(vectors, np.arange(4.0))
    vectors[2, 3] = np.nan
    with pytest.raises(ValueError, match="vectors: that of id 2 is not finite"):
        VectorIndex().build(vectors)
    with pytest.raises(ValueError, match="not built yet; call build or load first"):
        VectorIndex().search(vectors, 1)
    with pytest.raises(ValueError, match="uri: 'http://x' is for kind 'milvus', not 'flat'"):
        VectorIndex(uri="http://x")


@pytest.mark.parametrize("kind", ["milvus", "scann"])
def test_a_missing_extra_is_named_with_its_command(
    kind: IndexKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vector_store, "find_spec", lambda name: None)
    message = rf"kind: '{kind}' needs .* run: pip install 'ml-system-patterns\[{kind}\]'"
    with pytest.raises(ModuleNotFoundError, match=message):
        VectorIndex(kind).build(world(4)[0])


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


@pytest.mark.parametrize("kind", [of_kind("scann"), of_kind("milvus")])
def test_engines_are_silent(kind: IndexKind, capfd: pytest.CaptureFixture[str]) -> None:
    vectors, queries = world(1_200)
    VectorIndex(kind).build(vectors).search(queries, 5)
    said = capfd.readouterr()
    assert said.out == ""
    assert [line for line in said.err.splitlines() if "absl::InitializeLog" not in line] == []


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


def test_cells_hold_what_is_near_and_are_probed_by_product() -> None:
    """Long vectors of one direction, short ones of another: each center is a mean of its own."""
    rng = np.random.default_rng(0)
    directions = np.linalg.qr(rng.normal(size=(8, 8)))[0]
    lengths = np.repeat([1.0, 4.0], 4)
    who = rng.integers(8, size=800)
    vectors = directions[who] * lengths[who, None] + 0.01 * rng.normal(size=(800, 8))
    index = VectorIndex("ivf", probes=1).build(vectors)
    core = index.store_.core_  # type: ignore[union-attr]
    centers = core.quantizer.reconstruct_n(0, core.nlist)
    assert core.quantizer.metric_type == 0  # inner product, for queries
    nearest = np.linalg.norm(vectors[:, None] - centers[None], axis=2).argmin(axis=1)
    for cell in range(core.nlist):
        held = ids_in(core, cell)
        np.testing.assert_array_equal(np.sort(held), np.flatnonzero(nearest == cell))
    index.add(np.array([900]), vectors[:1] * 1.001)  # what is added joins by the same rule
    assert 900 in ids_in(core, int(nearest[0]))
    assert len(index) == 801 and core.quantizer.ntotal == core.nlist


def ids_in(core: object, cell: int) -> np.ndarray:
    import faiss

    lists = core.invlists  # type: ignore[attr-defined]
    size = lists.list_size(cell)
    return faiss.rev_swig_ptr(lists.get_ids(cell), size).copy() if size else np.empty(0, np.int64)
