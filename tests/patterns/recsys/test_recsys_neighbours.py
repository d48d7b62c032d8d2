"""Item-kNN, EASE, content and the merge: by hand, against brute force, on planted taste."""

from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from common.retrieval import MISSING, Candidates, reciprocal_rank_fusion
from patterns.recsys.entities.requests import RECENT, Requests
from patterns.recsys.stages.candidates.content import Content
from patterns.recsys.stages.candidates.item_item import EASE, ItemKNN
from patterns.recsys.stages.merging import merge

USERS, ITEMS = 120, 40


def requests_of(seen: np.ndarray) -> Requests:
    size = len(seen)
    recent = np.full((size, RECENT), MISSING)
    for row, taken in enumerate(seen):
        items = np.flatnonzero(taken)[::-1][:RECENT]
        recent[row, : len(items)] = items
    nobody = np.zeros((size, 1), np.int64)
    return Requests(nobody, np.zeros(size, np.int64), recent, csr_matrix(seen.astype(np.float32)))


@pytest.fixture(scope="module")
def seen() -> np.ndarray:
    """Two tastes: the first half of the users takes the first half of the items."""
    rng = np.random.default_rng(0)
    taste = np.arange(USERS)[:, None] % 2 == np.arange(ITEMS)[None] % 2
    return rng.random((USERS, ITEMS)) < np.where(taste, 0.4, 0.03)


def test_knn_is_the_shrunk_cosine(seen: np.ndarray) -> None:
    stage = ItemKNN(neighbours=ITEMS, shrinkage=7.0).fit_matrix(csr_matrix(seen.astype(np.float32)))
    norm = np.sqrt(seen.sum(axis=0))
    cosine = (seen.T.astype(float) @ seen) / (np.outer(norm, norm) + 7.0)
    np.fill_diagonal(cosine, 0)
    np.testing.assert_allclose(stage.weights_.toarray(), cosine, rtol=1e-5)


def test_knn_keeps_the_nearest_of_each_item(seen: np.ndarray) -> None:
    matrix = csr_matrix(seen.astype(np.float32))
    whole = ItemKNN(neighbours=ITEMS).fit_matrix(matrix).weights_.toarray()
    few = ItemKNN(neighbours=5).fit_matrix(matrix).weights_.toarray()
    assert ((few > 0).sum(axis=0) == 5).all()
    for item in range(ITEMS):
        kept = np.sort(few[:, item])[-5:]
        np.testing.assert_allclose(kept, np.sort(whole[:, item])[-5:])


def test_ease_solves_its_least_squares(seen: np.ndarray) -> None:
    """No other matrix with an empty diagonal has a smaller loss."""
    taken = seen.astype(np.float64)
    stage = EASE(regularization=20.0, neighbours=None).fit_matrix(
        csr_matrix(seen.astype(np.float32))
    )
    weights = np.asarray(stage.weights_, dtype=np.float64)
    assert (np.diag(weights) == 0).all()

    def loss(candidate: np.ndarray) -> float:
        return float(((taken - taken @ candidate) ** 2).sum() + 20.0 * (candidate**2).sum())

    rng = np.random.default_rng(1)
    for _ in range(20):
        step = rng.normal(0, 0.01, weights.shape)
        np.fill_diagonal(step, 0)
        assert loss(weights + step) > loss(weights)


def test_ease_sees_the_most_taken_items_only(seen: np.ndarray) -> None:
    matrix = csr_matrix(seen.astype(np.float32))
    weights = EASE(most=10, neighbours=None).fit_matrix(matrix).weights_.toarray()
    known = np.flatnonzero(weights.any(axis=0))
    counts = seen.sum(axis=0)
    assert len(known) == 10 and counts[known].min() >= np.sort(counts)[-10]


def test_an_empty_history_and_k_beyond_the_weights_end_in_padding(seen: np.ndarray) -> None:
    stage = ItemKNN(neighbours=3).fit_matrix(csr_matrix(seen.astype(np.float32)))
    nobody = requests_of(np.zeros((1, ITEMS), bool))
    assert (stage.retrieve(nobody, 4).item_ids == -1).all()
    assert (stage.score(nobody, np.array([[1, 2]])) == 0).all()
    one = requests_of(np.eye(1, ITEMS, 3, dtype=bool))
    found = stage.retrieve(one, ITEMS)
    real = found.item_ids[0] >= 0
    assert 0 < real.sum() < ITEMS and np.isneginf(found.scores[0][~real]).all()


def test_reasons_are_the_taken_items_of_largest_weight(seen: np.ndarray) -> None:
    stage = EASE(regularization=20.0, neighbours=None).fit_matrix(
        csr_matrix(seen.astype(np.float32))
    )
    taken = np.array([0, 1, 2, 4, 6])
    items, weights = stage.evidence(taken, 8)
    assert set(items) <= set(taken) and (np.diff(weights) <= 0).all() and (weights > 0).all()
    assert weights[0] == stage.weights_[taken, 8].max()
    alike = stage.similar(8, 5)
    assert 8 not in alike.item_ids and (np.diff(alike.scores) <= 0).all()
    assert (alike.item_ids[0] % 2 == 0).mean() > 0.7


def test_content_follows_the_newest_items_and_finds_what_nobody_took(tmp_path: Path) -> None:
    kinds = ("space rocket alien planet", "wedding love paris kiss", "court lawyer trial judge")
    texts = [f"{kinds[n % 3]} number{n}" for n in range(30)] + [""]
    stage = Content(encoder="tfidf-svd", dimension=8, half_life=2.0).fit_texts(texts)
    seen = np.zeros((2, 31), bool)
    seen[0, [0, 3, 6]] = True  # space
    requests = requests_of(seen)
    found = stage.retrieve(requests, 7)
    assert (found.item_ids[0] % 3 == 0).all() and not set(found.item_ids[0]) & {0, 3, 6, 30}
    assert (found.item_ids[1] == -1).all()  # nothing to go by
    turned = requests.part(np.array([0]))
    turned.recent[0, :6] = [1, 4, 7, 0, 3, 6]  # love of late
    assert (stage.retrieve(turned, 3).item_ids % 3 == 1).all()
    stage.save(tmp_path)
    again = Content.load(tmp_path).retrieve(requests, 7)
    assert np.array_equal(again.item_ids, found.item_ids)


def lists(seed: int = 0) -> list[Candidates]:
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(3):
        items = np.stack([rng.permutation(40)[:15] for _ in range(5)])
        items[0, 10:] = -1
        scores = np.where(items < 0, -np.inf, -np.arange(15.0))
        made.append(Candidates(items, scores.astype(np.float32)))
    return made


def test_a_merge_that_holds_all_is_rank_fusion() -> None:
    given = lists()
    merged, fused = merge(given, k=60), reciprocal_rank_fusion(given, k=60)
    assert np.array_equal(merged.candidates.item_ids, fused.candidates.item_ids)
    np.testing.assert_allclose(merged.candidates.scores, fused.candidates.scores, rtol=1e-6)


def test_every_source_is_sure_of_its_quota_and_named() -> None:
    given = lists()
    merged = merge(given, k=9)
    assert merged.candidates.item_ids.shape == (5, 9)
    for row in range(5):
        items = merged.candidates.item_ids[row]
        for each in given:
            assert set(each.item_ids[row, :3]) <= set(items)
        for item, bits, votes in zip(
            items, merged.found_by()[row], merged.votes()[row], strict=True
        ):
            sources = [n for n, each in enumerate(given) if item in each.item_ids[row]]
            assert bits == sum(1 << n for n in sources) and votes == len(sources)
        assert (np.diff(merged.candidates.scores[row]) <= 0).all()


def test_short_lists_leave_padding_that_nobody_proposed() -> None:
    nothing = Candidates(np.full((1, 3), -1), np.full((1, 3), -np.inf, np.float32))
    some = Candidates(np.array([[4, 2, -1]]), np.array([[2.0, 1.0, -np.inf]], np.float32))
    merged = merge([nothing, some], k=5)
    assert merged.candidates.item_ids[0].tolist()[:2] == [4, 2]
    assert (merged.candidates.item_ids[0, 2:] == -1).all()
    assert merged.found_by()[0].tolist() == [2, 2, 0, 0, 0]
