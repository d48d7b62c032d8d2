"""Every kind of vector index answers alike: neighbours, recall, batches, padding and errors."""

from pathlib import Path

import numpy as np
import pytest
from vector_worlds import EVERY, FLOOR, of_kind, overlap, world

from common import vector_store
from common.retrieval import MISSING, VectorIndex, top_k
from common.vector_store import LEAST, IndexKind


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


@pytest.mark.parametrize("kind", [kind for kind in EVERY if kind.values[0] not in ("flat", "pq")])  # type: ignore[attr-defined]
def test_more_effort_finds_more(kind: IndexKind) -> None:
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
    least = 0.002 if kind in ("hnsw", "milvus") else 0.1  # a graph finds nearly all with little
    assert much > little + least  # `probes` or `search_width` reaches the engine


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
    missing = found.item_ids == MISSING
    assert (np.isneginf(found.scores) == missing).all()
    for row in found.item_ids.tolist():
        shown = [item for item in row if item != MISSING]
        assert shown and len(set(shown)) == len(shown) and set(shown) <= set(range(2_000))
    if kind in ("ivf", "ivf-pq", "scann"):  # the others look at more than one cell
        assert missing.any()


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


@pytest.mark.parametrize("kind", [of_kind("scann"), of_kind("milvus")])
def test_engines_are_silent(kind: IndexKind, capfd: pytest.CaptureFixture[str]) -> None:
    vectors, queries = world(1_200)
    VectorIndex(kind).build(vectors).search(queries, 5)
    said = capfd.readouterr()
    assert said.out == ""
    assert [line for line in said.err.splitlines() if "absl::InitializeLog" not in line] == []


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
