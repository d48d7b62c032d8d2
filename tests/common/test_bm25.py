"""The inverted index: by hand, against a trusted library, and at its edges."""

import math

import numpy as np
import pytest

from common.retrieval.analysis import english
from common.retrieval.bm25 import BM25, Field, InvertedIndex

TEXTS = ["red fox", "red red dog runs", "a cat", "", "dog"]


def test_scores_by_hand() -> None:
    index = InvertedIndex(analyser="words", k1=1.2, b=0.75).fit(TEXTS)
    idf = math.log(1 + (5 - 2 + 0.5) / (2 + 0.5))
    average = (2 + 4 + 2 + 0 + 1) / 5
    expected = [
        idf * 1 / (1 + 1.2 * (0.25 + 0.75 * 2 / average)),
        idf * 2 / (2 + 1.2 * (0.25 + 0.75 * 4 / average)),
    ]
    scores = index.scores(["red"])[0]
    assert scores[:2] == pytest.approx(expected, rel=1e-6) and not scores[2:].any()


def test_equal_to_a_trusted_library() -> None:
    bm25s = pytest.importorskip("bm25s")
    rng = np.random.default_rng(0)
    words = [f"w{number}" for number in range(60)]
    weights = 1 / np.arange(1, 61)
    texts = [
        " ".join(rng.choice(words, rng.integers(1, 40), p=weights / weights.sum()))
        for _ in range(200)
    ]
    index = InvertedIndex(analyser="words", k1=1.5, b=0.6).fit(texts)
    oracle = bm25s.BM25(method="lucene", k1=1.5, b=0.6)
    oracle.index([text.split() for text in texts], show_progress=False)
    for query in ("w0 w3", "w59", "w1 w1 w7"):
        ours = index.scores([query])[0]
        assert ours == pytest.approx(oracle.get_scores(query.split()), rel=1e-4, abs=1e-6)


def test_a_repeated_word_counts_as_often_as_it_is_typed() -> None:
    index = InvertedIndex(analyser="words").fit(TEXTS)
    once, twice = index.scores(["dog", "dog dog"])
    assert twice == pytest.approx(2 * once)


def test_pairs_equal_the_whole_and_a_batch_equals_its_queries() -> None:
    index = InvertedIndex().fit(TEXTS)
    queries = ["red dog", "zebra", "", "the cat of dogs"]
    whole = index.scores(queries)
    rows = np.array([[0, 1, 4, -1], [0, 1, 2, 3], [4, -1, -1, -1], [2, 4, 3, 2]])
    pairs = index.score_pairs(queries, rows)
    assert np.array_equal(pairs, np.where(rows < 0, 0, np.take_along_axis(whole, rows, axis=1)))
    assert np.array_equal(whole, np.vstack([index.scores([query]) for query in queries]))


def test_only_documents_that_share_a_word_are_found() -> None:
    bm25 = BM25(fields={"text": Field("words")}, weights={"text": 1.0}).fit({"text": TEXTS})
    found = bm25.retrieve(["dog", "zebra", ""], 10)
    assert found.item_ids.shape == (3, 5)
    assert found.item_ids[0].tolist() == [4, 1, -1, -1, -1]
    assert (found.item_ids[1:] == -1).all()
    allowed = np.array([True, True, True, True, False])
    assert bm25.retrieve(["dog"], 10, allowed=allowed).item_ids[0, :2].tolist() == [1, -1]


def test_fields_add_up_by_their_weights() -> None:
    texts = {"title": ["red", "dog"], "body": ["dog", "fox"]}
    fields = {"title": Field("words"), "body": Field("words")}
    bm25 = BM25(fields=fields, weights={"title": 2.0, "body": 0.5}).fit(texts)
    title, body = (bm25.indices_[name].scores(["dog"]) for name in fields)
    assert bm25.scores(["dog"]) == pytest.approx(2 * title + 0.5 * body)
    assert bm25.scores(["dog"], weights={"body": 1.0}) == pytest.approx(body)
    for weights, best in (({"title": 1.0, "body": 0.1}, 1), ({"title": 0.1, "body": 1.0}, 0)):
        assert bm25.retrieve(["dog"], 1, weights=weights).item_ids.tolist() == [[best]]
    with pytest.raises(ValueError, match="no field"):
        BM25(fields=fields, weights={"tilte": 1.0})


def test_an_unknown_word_is_as_rare_as_can_be() -> None:
    index = InvertedIndex(analyser="words").fit(TEXTS)
    terms, starts = index.terms(["dog zebra"])
    assert terms.tolist()[1] == -1 and starts.tolist() == [0, 2]
    known, unknown = index.idf(terms)
    assert unknown > known


def test_document_frequency_counts_documents_not_occurrences() -> None:
    index = InvertedIndex(analyser="words").fit(TEXTS)
    terms, _ = index.terms(["red dog runs"])
    assert index.document_frequency[terms].tolist() == [2, 2, 1]


def test_saved_and_loaded_it_scores_alike(tmp_path) -> None:
    fields = {"title": Field("stems", k1=0.9, b=0.4), "body": Field()}
    texts = {"title": ["Ünïcode 스 dog"], "body": ["dogs run"]}
    bm25 = BM25(fields=fields, weights={"title": 1.0, "body": 1.0}).fit(texts)
    bm25.save(tmp_path)
    again = BM25.load(tmp_path)
    queries = ["dog", "unicode", "스", "running"]
    assert np.array_equal(bm25.scores(queries), again.scores(queries))
    assert again.indices_["title"].k1 == 0.9 and again.indices_["title"].analyser == "stems"


def test_a_corpus_without_words_scores_nothing() -> None:
    index = InvertedIndex().fit(["", "the"])
    assert not index.scores(["the", "dog"]).any()
    assert english("the") == []


def test_one_long_word_does_not_widen_the_others(tmp_path) -> None:
    texts = [" ".join(f"w{row}x{place}" for place in range(50)) for row in range(40)]
    long = "acgt" * 50_000
    texts[3] += " " + long
    bm25 = BM25(fields={"a/b": Field("words")}, weights={"a/b": 1.0}).fit({"a/b": texts})
    arrays = bm25.indices_["a/b"].arrays()
    assert sum(array.nbytes for array in arrays.values()) < 400_000
    bm25.save(tmp_path)
    assert np.array_equal(
        BM25.load(tmp_path).scores(["acgt" * 50_000]), bm25.scores([texts[3][-200_000:]])
    )


def test_constants_and_weights_are_chosen_by_what_they_find() -> None:
    texts = {"title": ["red", "dog"], "body": ["dog dog dog", "dog fox"]}
    bm25 = BM25(fields={"title": Field("words"), "body": Field("words")}, weights={"title": 1.0})
    bm25.fit(texts)
    mixes = [{"title": 1.0}, {"body": 1.0}]
    constants = [(1.2, 0.75), (0.0, 0.0)]
    bm25.choose(lambda one: float(one.scores(["dog"])[0, 0]), constants=constants, mixes=mixes)
    fresh = BM25(fields={"title": Field("words", 0.0, 0.0), "body": Field("words", 0.0, 0.0)},
                 weights={"body": 1.0}).fit(texts)  # fmt: skip
    assert bm25.weights == {"body": 1.0} and bm25.fields["body"].k1 == 0.0
    assert np.array_equal(bm25.scores(["dog fox"]), fresh.scores(["dog fox"]))
    assert bm25.in_words() == "BM25 k1 0 b 0, body 1"
