"""Dense candidates and the fusion of two lists."""

from pathlib import Path

import numpy as np
import pytest

from common.encoders import Encoder, TfidfSvdEncoder
from common.retrieval import Candidates
from common.retrieval.dense import Dense
from common.retrieval.hybrid import Hybrid
from patterns.search_ranking.entities.queries import JudgedQueries, without_own
from patterns.search_ranking.stages.candidates.sources import ALONE, BY_FIELD, DENSE


class Letters(Encoder):
    """An encoder whose nearest neighbours are known: counts of a, b and c."""

    name, dimension = "letters", 3

    def encode(self, texts, batch_size=64, *, precision="fp32") -> np.ndarray:
        counts = np.array([[text.count(letter) for letter in "abc"] for text in texts], np.float32)
        return counts / np.maximum(np.linalg.norm(counts, axis=1, keepdims=True), 1e-9)

    def save(self, folder: Path) -> None:
        raise NotImplementedError


TEXTS = ["aaa", "aab", "bbb", "ccc", "abc"]


def lists(*rows: list[int]) -> Candidates:
    ids = np.array(rows, np.int64)
    return Candidates(ids, np.where(ids < 0, -np.inf, -np.arange(ids.shape[1])).astype(np.float32))


def test_the_nearest_come_first_and_a_filter_still_fills_the_list() -> None:
    dense = Dense(encoder=Letters()).fit(TEXTS)
    vectors = dense.encode(["a", "c"])
    assert dense.retrieve(vectors, 2).item_ids.tolist() == [[0, 1], [3, 4]]
    allowed = np.array([False, False, True, True, True])
    filtered = dense.retrieve(vectors, 2, allowed=allowed)
    assert filtered.item_ids.tolist() == [[4, 2], [3, 4]]
    assert dense.retrieve(vectors, 99).item_ids.shape == (2, 5)
    assert dense.retrieve(vectors, 3, allowed=np.zeros(5, bool)).item_ids.shape == (2, 0)


def test_cosines_are_of_the_asked_rows_and_do_not_depend_on_the_batch() -> None:
    dense = Dense(encoder=Letters()).fit(TEXTS)
    vectors = dense.encode(["a", "abc"])
    rows = np.array([[0, 2, -1], [4, 4, 3]])
    values = dense.cosines(vectors, rows)
    assert values[0].tolist() == [1.0, 0.0, 0.0] and values[1, 0] == pytest.approx(1.0)
    for row in range(2):
        single = dense.cosines(vectors[row : row + 1], rows[row : row + 1])
        assert np.array_equal(single[0], values[row])


def test_saved_and_loaded_it_retrieves_alike(tmp_path) -> None:
    texts = ["red fox", "black cat", "big dog runs", "big dog sleeps"]
    dense = Dense(encoder=TfidfSvdEncoder(dimension=3, notice="a fallback")).fit(texts)
    assert dense.notices_ == ["a fallback"]
    dense.save(tmp_path)
    again = Dense.load(tmp_path)
    vectors = dense.encode(["red fox", "cat"])
    assert np.array_equal(vectors, again.encode(["red fox", "cat"]))
    found = dense.retrieve(vectors, 4)
    assert found.item_ids[:, 0].tolist() == [0, 1]
    assert np.array_equal(found.item_ids, again.retrieve(vectors, 4).item_ids)


def test_fusion_by_hand_with_provenance() -> None:
    lexical, dense = lists([5, 6, 7]), lists([7, 8, -1])
    found = Hybrid(constant=1.0, lexical_weight=0.5).merge(lexical, dense, 4)
    # 7: ½/4 + ½/2 = .375; 5: ½/2 = .25; 6 and 8: ½/3
    assert found.candidates.item_ids.tolist() == [[7, 5, 6, 8]]
    assert found.candidates.scores[0, :2] == pytest.approx([0.375, 0.25])
    assert found.ranks[0].tolist() == [[3, 1, 2, 0]]
    assert found.ranks[1].tolist() == [[1, 0, 0, 2]]


def test_an_empty_list_leaves_the_other_as_it_is() -> None:
    empty = Candidates(np.empty((1, 0), np.int64), np.empty((1, 0), np.float32))
    found = Hybrid().merge(lists([3, 1, 2]), empty, 3)
    assert found.candidates.item_ids.tolist() == [[3, 1, 2]]
    assert not found.ranks[1].any()


def test_tuning_trusts_the_source_that_finds() -> None:
    good, bad = lists(*[[1, 2, 3, 4]] * 5), lists(*[[9, 8, 7, 6]] * 5)
    rows, grades = np.tile([3, 4, 9], (5, 1)), np.tile(np.int8([1, 2, 0]), (5, 1))
    judged = JudgedQueries(tuple("12345"), tuple("abcde"), rows, grades)
    hybrid = Hybrid().fit(good, bad, lambda found: judged.mean_recall(found, 4), 4)
    assert hybrid.valid_quality_ == pytest.approx(1.0)
    assert hybrid.lexical_weight_ > 0.5
    assert judged.recall_of(bad.item_ids, 4).tolist() == [0.0] * 5
    assert judged.recall_of(good.item_ids, 3).tolist() == [0.5] * 5


def test_scaled_scores_keep_how_far_apart_two_documents_are() -> None:
    lexical = Candidates(np.array([[5, 6, 7]]), np.array([[30.0, 29.0, 10.0]], np.float32))
    dense = Candidates(np.array([[7, 6, -1]]), np.array([[0.9, 0.8, -np.inf]], np.float32))
    found = Hybrid(constant=None, lexical_weight=0.5).merge(lexical, dense, 4)
    # 5: ½ · 1; 6: ½ · .95 + ½ · 0; 7: ½ · 0 + ½ · 1
    assert found.candidates.item_ids.tolist() == [[5, 7, 6, -1]]
    assert found.candidates.scores[0, :3] == pytest.approx([0.5, 0.5, 0.475])
    far = Hybrid().fit(lexical, dense, lambda f: float(f.item_ids[0, 1] == 7), 4, scaled=True)
    assert far.valid_quality_ == 1.0


def test_a_list_alone_keeps_its_order_and_the_other_fills_the_page() -> None:
    lexical, dense = lists([4, 2, -1]), lists([7, 2, 9])
    for name, expected in ((BY_FIELD, [4, 2, 7, 9]), (DENSE, [7, 2, 9, 4])):
        assert ALONE[name].merge(lexical, dense, 9).candidates.item_ids[0, :4].tolist() == expected


def test_a_query_does_not_find_itself() -> None:
    found = without_own(lists([4, 2, 3], [4, 2, 3]), np.array([4, -1]), 2)
    assert found.item_ids.tolist() == [[2, 3], [4, 2]]


def test_a_fusion_saved_and_loaded_merges_alike(tmp_path) -> None:
    hybrid = Hybrid(constant=2.0, lexical_weight=0.9)
    hybrid.save(tmp_path)
    left, right = (each.merge(lists([5, 6]), lists([7, 6]), 3) for each in
                   (hybrid, Hybrid.load(tmp_path)))  # fmt: skip
    assert left.candidates.item_ids.tolist() == [[5, 6, 7]]  # the defaults put 6 first
    assert np.array_equal(left.candidates.scores, right.candidates.scores)
