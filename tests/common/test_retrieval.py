"""Ranking, vector search, fusion and diversity, each against a slow and obvious oracle."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.sparse import csr_matrix

from common.retrieval import (
    MISSING,
    Candidates,
    IndexKind,
    VectorIndex,
    mmr,
    reciprocal_rank_fusion,
    top_k,
)

QUICK = settings(max_examples=80, deadline=None)
SCORES = st.sampled_from([-np.inf, -1.0, 0.0, 0.5, 0.5, 2.0, 7.0])  # few values, hence many ties


def lists(*rows: list[int]) -> Candidates:
    """Give candidates of these ids, with falling scores."""
    item_ids = np.array(rows, dtype=np.int64)
    scores = np.broadcast_to(-np.arange(item_ids.shape[1], dtype=np.float32), item_ids.shape)
    return Candidates(item_ids, np.where(item_ids < 0, -np.inf, scores).astype(np.float32))


def ranked_slowly(scores: np.ndarray, k: int, excluded: set[int]) -> list[tuple[int, float]]:
    """Rank one row by sorting pairs; the list is as long as there are items to show."""
    pairs = [(-score, item) for item, score in enumerate(scores.tolist()) if item not in excluded]
    return [(item, -score) for score, item in sorted(pairs)[:k] if score != np.inf]


@QUICK
@given(
    scores=arrays(np.float32, array_shapes(min_dims=2, max_dims=2, max_side=9), elements=SCORES),
    k=st.integers(0, 12),
    seed=st.integers(0, 999),
)
def test_top_k_is_the_sorted_row(scores: np.ndarray, k: int, seed: int) -> None:
    excluded = np.random.default_rng(seed).random(scores.shape) < 0.3
    before = scores.copy()
    found = top_k(scores, k, exclude=csr_matrix(excluded.astype(np.float32)))
    assert found.item_ids.shape == (len(scores), min(k, scores.shape[1]))
    assert found.item_ids.dtype == np.int64 and found.scores.dtype == np.float32
    np.testing.assert_array_equal(scores, before)  # the caller's array is left alone
    for row, hidden in enumerate(excluded):
        expected = ranked_slowly(scores[row], k, set(np.flatnonzero(hidden).tolist()))
        shown = found.item_ids[row] != MISSING
        assert shown.sum() == len(expected) and not shown[len(expected) :].any()
        pairs = zip(found.item_ids[row].tolist(), found.scores[row].tolist(), strict=True)
        assert list(pairs)[: len(expected)] == expected
        assert np.isneginf(found.scores[row][~shown]).all()


def test_top_k_gives_ties_to_the_lower_id_at_the_cut_too() -> None:
    found = top_k(np.array([[1.0, 3.0, 3.0, 3.0, 0.0]]), 2)
    assert found.item_ids.tolist() == [[1, 2]]


def test_top_k_beyond_the_catalogue_gives_what_there_is() -> None:
    exclude = csr_matrix(np.array([[0, 1, 0]]))
    found = top_k(np.array([[1.0, 9.0, -np.inf]]), 99, exclude=exclude)
    assert found.item_ids.tolist() == [[0, MISSING, MISSING]]
    assert found.scores.tolist() == [[1.0, -np.inf, -np.inf]]


@pytest.mark.parametrize(("shape", "k"), [((0, 4), 2), ((3, 4), 0), ((3, 0), 2), ((0, 0), 0)])
def test_top_k_of_nothing_is_nothing(shape: tuple[int, int], k: int) -> None:
    found = top_k(np.zeros(shape), k)
    assert found.item_ids.shape == (shape[0], min(k, shape[1])) and len(found) == shape[0]


def test_top_k_refuses_scores_that_are_not_numbers() -> None:
    with pytest.raises(AssertionError):
        top_k(np.array([[1.0, np.nan]]), 1)


def test_candidates_must_match_in_shape_and_head_cuts() -> None:
    with pytest.raises(AssertionError):
        Candidates(np.zeros((2, 3), np.int64), np.zeros((2, 2), np.float32))
    assert lists([4, 2, 9]).head(2).item_ids.tolist() == [[4, 2]]
    assert lists([4, 2]).head(9).item_ids.tolist() == [[4, 2]]


def world(count: int, width: int = 16, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Give clustered unit vectors, as learned embeddings are, and queries near them."""
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(20, width))
    vectors = centers[rng.integers(20, size=count)] + 0.5 * rng.normal(size=(count, width))
    queries = vectors[rng.integers(count, size=50)] + 0.1 * rng.normal(size=(50, width))
    return vectors.astype(np.float32), queries.astype(np.float32)


@QUICK
@given(count=st.integers(1, 60), k=st.integers(1, 70), seed=st.integers(0, 9))
def test_flat_search_is_exact(count: int, k: int, seed: int) -> None:
    vectors, queries = world(count, seed=seed)
    found = VectorIndex("flat").build(vectors).search(queries, k)
    expected = top_k(queries @ vectors.T, k)
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-4, atol=1e-4)
    products = np.take_along_axis(queries @ vectors.T, found.item_ids, axis=1)
    np.testing.assert_allclose(found.scores, products, rtol=1e-4, atol=1e-4)
    assert all(len(set(row)) == min(k, count) for row in found.item_ids.tolist())


def test_flat_search_of_a_batch_is_that_of_each() -> None:
    vectors, queries = world(500)
    vectors[100:140] = vectors[7]  # ties
    index = VectorIndex().build(vectors)
    batch = index.search(queries, 200)
    for row in range(len(queries)):
        single = index.search(queries[row : row + 1], 200)
        np.testing.assert_array_equal(single.item_ids[0], batch.item_ids[row])


@pytest.mark.parametrize(("kind", "least"), [("ivf", 0.9), ("hnsw", 0.9), ("ivf-pq", 0.6)])
def test_approximate_search_recalls_most_of_the_exact_one(kind: IndexKind, least: float) -> None:
    vectors, queries = world(3_000)
    exact = VectorIndex().build(vectors).search(queries, 10).item_ids
    found = VectorIndex(kind).build(vectors).search(queries, 10).item_ids
    hits = sum(len(set(a) & set(b)) for a, b in zip(exact.tolist(), found.tolist(), strict=True))
    assert hits / exact.size >= least


@pytest.mark.parametrize("kind", ["flat", "ivf", "hnsw", "ivf-pq"])
def test_an_index_loads_as_it_was_saved(kind: IndexKind, tmp_path: Path) -> None:
    vectors, queries = world(400)
    built = VectorIndex(kind, probes=5, search_width=33).build(vectors)
    built.save(tmp_path / "items.faiss")
    loaded = VectorIndex(kind, probes=5, search_width=33).load(tmp_path / "items.faiss")
    before, after = built.search(queries, 20), loaded.search(queries, 20)
    np.testing.assert_array_equal(before.item_ids, after.item_ids)
    np.testing.assert_array_equal(before.scores, after.scores)


@pytest.mark.parametrize("kind", ["flat", "ivf", "hnsw", "ivf-pq"])
@pytest.mark.parametrize("count", [2, 40])
def test_a_tiny_catalogue_is_searched_in_silence(
    kind: IndexKind, count: int, capfd: pytest.CaptureFixture[str]
) -> None:
    vectors, queries = world(count)
    found = VectorIndex(kind).build(vectors).search(queries, 99)
    assert found.item_ids.shape == (len(queries), count)
    if kind != "hnsw":  # the graph may miss some; a miss is padding, never an invented item
        assert (np.sort(found.item_ids, axis=1) == np.arange(count)).all()
    assert (np.isneginf(found.scores) == (found.item_ids == MISSING)).all()
    said = capfd.readouterr()
    assert said.out == "" and said.err == ""


def test_an_index_of_nothing_finds_nothing_or_says_what_it_needs() -> None:
    found = VectorIndex().build(np.zeros((0, 4))).search(np.zeros((3, 4)), 5)
    assert found.item_ids.shape == (3, 0)
    with pytest.raises(ValueError, match="'ivf-pq' needs 2 or more vectors, not 1; use flat"):
        VectorIndex("ivf-pq").build(np.ones((1, 4)))
    with pytest.raises(ValueError, match="kind: 'lsh' is not known; use flat, ivf, .* or scann"):
        VectorIndex("lsh")  # type: ignore[arg-type]


def test_fusion_by_hand() -> None:
    fused = reciprocal_rank_fusion([lists([3, 1, 2]), lists([1, 5, MISSING])], k=4, constant=60)
    assert fused.candidates.item_ids.tolist() == [[1, 3, 5, 2]]
    assert fused.ranks.tolist() == [[[2, 1, 0, 3]], [[1, 0, 2, 0]]]
    assert fused.found_by().tolist() == [[3, 1, 2, 1]] and fused.votes().tolist() == [[2, 1, 1, 1]]
    assert fused.ranks_of(0) == {1: (2, 1), 3: (1, 0), 5: (0, 2), 2: (3, 0)}
    expected = [1 / 62 + 1 / 61, 1 / 61, 1 / 62, 1 / 63]
    np.testing.assert_allclose(fused.candidates.scores[0], expected, rtol=1e-6)


def test_fusion_by_hand_with_weights() -> None:
    pair = [lists([3, 1]), lists([1, 5])]
    fused = reciprocal_rank_fusion(pair, k=3, constant=0, weights=[4, 1])
    assert fused.candidates.item_ids.tolist() == [[3, 1, 5]]
    np.testing.assert_allclose(fused.candidates.scores[0], [4.0, 3.0, 0.5])


def test_fusion_gives_ties_to_the_lower_id_and_pads_what_is_missing() -> None:
    fused = reciprocal_rank_fusion(
        [lists([8, MISSING], [MISSING, MISSING]), lists([2, 8], [MISSING, MISSING])], k=9
    )
    assert fused.candidates.item_ids.tolist() == [[8, 2, MISSING, MISSING], [MISSING] * 4]
    assert np.isneginf(fused.candidates.scores[1]).all()
    tied = reciprocal_rank_fusion([lists([9, 4]), lists([4, 9])], k=2)
    assert tied.candidates.item_ids.tolist() == [[4, 9]]


def test_quotas_keep_a_place_for_what_one_list_alone_finds() -> None:
    given = [lists([1, 2, 3]), lists([2, 1, 3]), lists([9, 8, 7])]
    fused = reciprocal_rank_fusion(given, k=3, quotas=[0, 0, 2])
    assert fused.candidates.item_ids.tolist() == [[1, 9, 8]]
    assert reciprocal_rank_fusion(given, k=3).candidates.item_ids.tolist() == [[1, 2, 3]]
    many = reciprocal_rank_fusion(given, k=2, quotas=[3, 3, 3])
    assert many.candidates.item_ids.tolist() == [[1, 2]]


def test_lists_of_blocks_are_stacked() -> None:
    whole = Candidates.concatenate([lists([1, 2]), lists([3, 4], [5, MISSING])])
    assert whole.item_ids.tolist() == [[1, 2], [3, 4], [5, MISSING]] and len(whole.scores) == 3
    assert Candidates.concatenate([], width=4).item_ids.shape == (0, 4)


@QUICK
@given(
    seed=st.integers(0, 9999), sources=st.integers(1, 4), k=st.integers(0, 12), b=st.integers(0, 4)
)
def test_fusion_is_the_sum_over_lists(seed: int, sources: int, k: int, b: int) -> None:
    rng = np.random.default_rng(seed)
    every = []
    for _ in range(sources):
        width = int(rng.integers(0, 6))
        rows = np.stack([rng.permutation(8)[:width] for _ in range(b)] or [np.empty(width)])[:b]
        length = rng.integers(0, width + 1, size=(b, 1))
        every.append(
            lists(*np.where(np.arange(width) < length, rows, MISSING).tolist())
            if b and width
            else Candidates(np.empty((b, width), np.int64), np.empty((b, width), np.float32))
        )
    fused = reciprocal_rank_fusion(every, k=k, constant=3)
    for row in range(b):
        total: dict[int, float] = {}
        for each in every:
            for rank, item in enumerate(each.item_ids[row].tolist(), start=1):
                if item != MISSING:
                    total[item] = total.get(item, 0.0) + 1 / (3 + rank)
        expected = sorted(total.items(), key=lambda pair: (-np.float32(pair[1]), pair[0]))[:k]
        shown = fused.candidates.item_ids[row] != MISSING
        assert [item for item, _ in expected] == fused.candidates.item_ids[row][shown].tolist()
        np.testing.assert_allclose(
            fused.candidates.scores[row][shown], [gain for _, gain in expected]
        )


def mmr_slowly(relevance: np.ndarray, vectors: np.ndarray, k: int, trade_off: float) -> list[float]:
    """Give, step by step, the largest value of the criterion over what is left."""
    chosen: list[int] = []
    best_values = []
    while len(chosen) < min(k, len(relevance)):
        values = {}
        for i in range(len(relevance)):
            if i not in chosen:
                nearest = max((float(vectors[i] @ vectors[j]) for j in chosen), default=0.0)
                values[i] = trade_off * relevance[i] - (1 - trade_off) * nearest
        chosen.append(max(values, key=lambda i: (values[i], -i)))
        best_values.append(values[chosen[-1]])
    return best_values


@QUICK
@given(
    count=st.integers(0, 9),
    k=st.integers(0, 11),
    trade_off=st.sampled_from([0.0, 0.3, 0.7, 1.0]),
    seed=st.integers(0, 999),
)
def test_mmr_takes_the_best_of_what_is_left_at_each_step(
    count: int, k: int, trade_off: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    relevance, vectors = rng.random(count), rng.normal(size=(count, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    order = mmr(relevance, vectors, k=k, trade_off=trade_off)
    assert len(order) == len(set(order.tolist())) == min(k, count)
    for step, value in enumerate(mmr_slowly(relevance, vectors, k, trade_off)):
        before = order[:step]
        nearest = (vectors[before] @ vectors[order[step]]).max() if step else 0.0
        reached = trade_off * relevance[order[step]] - (1 - trade_off) * nearest
        assert reached == pytest.approx(value, abs=1e-9)


def test_mmr_of_trade_off_one_is_plain_ranking_and_a_twin_is_put_off() -> None:
    vectors = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    relevance = np.array([1.0, 0.9, 0.5])
    assert mmr(relevance, vectors, k=3, trade_off=1.0).tolist() == [0, 1, 2]
    assert mmr(relevance, vectors, k=3, trade_off=0.5).tolist() == [0, 2, 1]
    assert mmr(np.ones(3), np.eye(3), k=2, trade_off=0.5).tolist() == [0, 1]  # ties: the earlier
