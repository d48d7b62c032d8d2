"""Ranking metrics: by hand, against trec_eval and scikit-learn, by property, and refusals."""

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.metrics import ndcg_score

from common.evaluation import ranking


def random_world(seed, queries=12, items=40, depth=15):
    """Judgments (B, N) with grades 0-3, some queries without any, and ranked lists with padding."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 4, (queries, items)) * (rng.random((queries, items)) < 0.2)
    truth[0] = 0
    ranked = np.argsort(rng.random((queries, items)), axis=1)[:, :depth]
    lengths = rng.integers(0, depth + 1, queries)
    ranked[np.arange(depth) >= lengths[:, None]] = -1
    return truth.astype(float), ranked


def trec(truth, ranked, measures):
    """trec_eval's answer, queries it skips (an empty list) filled with 0."""
    qrels, run = {}, {}
    for query, (grades, items) in enumerate(zip(truth, ranked, strict=True)):
        qrels[str(query)] = {str(item): int(grade) for item, grade in enumerate(grades)}
        shown = items[items >= 0]
        run[str(query)] = {str(item): float(-rank) for rank, item in enumerate(shown)}
    answers = pytrec_eval.RelevanceEvaluator(qrels, measures).evaluate(run)
    names = sorted({name for answer in answers.values() for name in answer})
    return {
        name: np.array([answers.get(str(q), {}).get(name, 0.0) for q in range(len(truth))])
        for name in names
    }


@pytest.mark.parametrize("seed", range(8))
def test_equals_trec_eval(seed):
    truth, ranked = random_world(seed)
    judged = ranking.judge(ranked, sparse.csr_array(truth))
    expected = trec(truth, ranked, {"ndcg_cut", "recall", "P", "recip_rank", "map", "map_cut"})
    for k in (5, 10, 20):
        ours = {
            f"ndcg_cut_{k}": ranking.ndcg(judged.relevance, judged.ideal, k),
            f"recall_{k}": ranking.recall(judged.relevance, judged.total_relevant, k),
            f"P_{k}": ranking.precision(judged.relevance, k),
            f"map_cut_{k}": ranking.average_precision(judged.relevance, judged.total_relevant, k),
        }
        for name, values in ours.items():
            np.testing.assert_allclose(values, expected[name], atol=1e-9, err_msg=name)
    np.testing.assert_allclose(ranking.mrr(judged.relevance), expected["recip_rank"], atol=1e-9)
    np.testing.assert_allclose(
        ranking.average_precision(judged.relevance, judged.total_relevant),
        expected["map"],
        atol=1e-9,
    )


def test_by_hand():
    relevance = [[0, 1, 0, 1], [0, 0, 0, 0], [3, 0, 2, 0]]
    np.testing.assert_allclose(ranking.precision(relevance, 2), [0.5, 0, 0.5])
    np.testing.assert_allclose(ranking.recall(relevance, [4, 2, 2], 4), [0.5, 0, 1])
    np.testing.assert_allclose(ranking.mrr(relevance), [0.5, 0, 1])
    np.testing.assert_allclose(ranking.mrr(relevance, 1), [0, 0, 1])
    np.testing.assert_allclose(ranking.average_precision(relevance, [2, 2, 2]), [0.5, 0, 5 / 6])
    np.testing.assert_allclose(ranking.dcg(relevance, 3), [1 / np.log2(3), 0, 4])
    np.testing.assert_allclose(ranking.dcg(relevance, 3, gain="exponential")[2], 7 + 3 / 2)
    ideal = 3 + 2 / np.log2(3)
    np.testing.assert_allclose(ranking.ndcg(relevance, [[1, 1], [1, 0], [2, 3]], 3)[2], 4 / ideal)


def test_ideal_as_counts_equals_ideal_as_gains():
    relevance = [[1, 0, 1], [0, 0, 0], [0, 1, 0]]
    gains = [[1, 1, 1, 1], [0, 0, 0, 0], [1, 0, 0, 0]]
    for k in (1, 2, 3, 10):
        np.testing.assert_allclose(
            ranking.ndcg(relevance, [4, 0, 1], k), ranking.ndcg(relevance, gains, k)
        )


def test_lists_shorter_than_k_are_filled_up():
    assert ranking.precision([[1, 1]], 10) == pytest.approx([0.2])
    assert ranking.ndcg([[1, 1]], [2], 10) == pytest.approx([1.0])


def test_empty_inputs_give_empty_or_zero():
    assert ranking.ndcg(np.zeros((0, 5)), np.zeros((0, 2)), 5).shape == (0,)
    assert ranking.ndcg_grouped([], [], [], 5).shape == (0,)
    assert ranking.mrr(np.zeros((2, 0))).tolist() == [0, 0]
    assert ranking.intra_list_similarity(np.ones((3, 2)), np.zeros((0, 4), int)).shape == (0,)
    judged = ranking.judge(np.full((2, 3), -1), sparse.csr_array((2, 5)))
    assert ranking.recall(judged.relevance, judged.total_relevant, 3).tolist() == [0, 0]
    assert ranking.ndcg(judged.relevance, judged.ideal, 3).tolist() == [0, 0]


@given(seed=st.integers(0, 10_000), k=st.integers(1, 20))
@settings(max_examples=60, deadline=None)
def test_bounds_and_order(seed, k):
    truth, ranked = random_world(seed, queries=6, items=20, depth=8)
    judged = ranking.judge(ranked, sparse.csr_array(truth))
    sorted_relevance = -np.sort(-judged.relevance, axis=1)
    for gain in ("linear", "exponential"):
        ours = ranking.ndcg(judged.relevance, judged.ideal, k, gain=gain)
        best = ranking.ndcg(sorted_relevance, judged.ideal, k, gain=gain)
        assert np.all((ours >= 0) & (ours <= best + 1e-12) & (best <= 1))
    perfect = ranking.ndcg(judged.ideal, judged.ideal, k)
    np.testing.assert_allclose(perfect, judged.total_relevant > 0)
    deeper = ranking.recall(judged.relevance, judged.total_relevant, k + 1)
    assert np.all(deeper >= ranking.recall(judged.relevance, judged.total_relevant, k))


@given(seed=st.integers(0, 10_000), k=st.integers(1, 12), levels=st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_grouped_equals_sklearn_with_ties_in_any_row_order(seed, k, levels):
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, 5, 40) * 7
    labels, scores = rng.integers(0, 5, 40), rng.integers(0, levels, 40) / 3.0
    for gain in ("linear", "exponential"):
        gains = labels if gain == "linear" else 2.0**labels - 1
        ours = ranking.ndcg_grouped(labels, scores, groups, k, gain=gain)
        for value, group in zip(ours, np.unique(groups), strict=True):
            rows = groups == group
            if rows.sum() > 1:  # scikit-learn refuses a single candidate
                assert value == pytest.approx(ndcg_score([gains[rows]], [scores[rows]], k=k))


def test_grouped_single_candidate_and_nothing_relevant():
    assert ranking.ndcg_grouped([2, 0, 0], [0.1, 0.2, 0.3], ["a", "b", "b"], 5).tolist() == [1, 0]


def test_constant_scorer_gains_nothing_from_row_order():
    labels = np.array([3, 2, 1, 0, 0, 0])
    forward = ranking.ndcg_grouped(labels, np.zeros(6), np.zeros(6), 3)
    backward = ranking.ndcg_grouped(labels[::-1], np.zeros(6), np.zeros(6), 3)
    assert forward == pytest.approx(backward)
    assert forward[0] < 0.6


def test_judge_looks_up_gains_and_ideal():
    truth = sparse.csr_array(np.array([[0, 2, 0, 1.0], [0, 0, 0, 0]]))
    judged = ranking.judge([[3, 0, -1], [1, 2, 3]], truth)
    assert judged.relevance.tolist() == [[1, 0, 0], [0, 0, 0]]
    assert judged.ideal.tolist() == [[2, 1], [0, 0]]
    assert judged.total_relevant.tolist() == [2, 0]


def test_intra_list_similarity_equals_pair_loop():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(10, 4))
    ranked = np.array([[0, 3, 5, 7], [1, 2, -1, -1], [4, -1, -1, -1], [-1, -1, -1, -1]])
    ours = ranking.intra_list_similarity(vectors, ranked)
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = units @ units.T
    expected = np.mean([cosines[a, b] for a in ranked[0] for b in ranked[0] if a != b])
    np.testing.assert_allclose(ours, [expected, cosines[1, 2], 0, 0])
    assert ranking.intra_list_similarity(np.ones((3, 2)), [[0, 1, 2]]) == pytest.approx([1])


def test_coverage_and_novelty():
    assert ranking.coverage([[0, 1, -1], [1, 2, -1]], 6) == 0.5
    novelty = ranking.novelty([[0, 1], [2, -1], [-1, -1]], [7, 3, 0], 7)
    np.testing.assert_allclose(novelty, [0.5, 3, 0])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: ranking.ndcg([[np.nan]], [1], 1), "relevance.*NaN.*drop or impute"),
        (lambda: ranking.ndcg([[1, 1]], [1], 2), "ideal.*all its relevant items"),
        (lambda: ranking.ndcg([[1]], [1, 1], 1), "lengths differ"),
        (lambda: ranking.ndcg([[1]], [1], 0), "k is 0.*at least 1"),
        (lambda: ranking.ndcg([[1]], [1], 1, gain="log"), "gain is 'log'"),
        (lambda: ranking.recall([[1, 1]], [1], 2), "total_relevant"),
        (lambda: ranking.precision([[-1]], 1), "relevance.*start at 0"),
        (lambda: ranking.precision([1, 0], 1), "relevance has shape"),
        (lambda: ranking.judge([[1, 1]], sparse.csr_array((1, 3))), "twice"),
        (lambda: ranking.judge([[3]], sparse.csr_array((1, 3))), "outside 0 … 2"),
        (lambda: ranking.judge([[0]], sparse.csr_array((2, 3))), "a row per query"),
        (lambda: ranking.ndcg_grouped([1], [np.inf], [0], 1), "scores"),
        (lambda: ranking.coverage([[5]], 5), "catalogue_size"),
        (lambda: ranking.novelty([[0]], [9], 3), "users"),
    ],
)
def test_refusals_name_argument_and_remedy(call, words):
    with pytest.raises(ValueError, match=words):
        call()
