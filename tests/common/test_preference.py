"""What validation prefers: the best, of equals the first, and what is said of it."""

import pytest

from common.preference import preferred

MEASURE = "NDCG@10 on validation"


def test_nothing_is_said_of_a_learned_one_that_is_best() -> None:
    scores = {"baseline": 0.5, "source": 0.5, "ranker": 0.6}
    assert preferred(scores, "ranker", measure=MEASURE) == ("ranker", None)


def test_a_better_baseline_is_served_and_both_values_are_said() -> None:
    scores = {"baseline": 0.7, "source": 0.72, "ranker": 0.65}
    assert preferred(scores, "ranker", measure=MEASURE) == (
        "source",
        "source is served, not ranker: NDCG@10 on validation is 0.7200 against 0.6500.",
    )


def test_ties_go_to_the_first() -> None:
    scores = {"baseline": 0.6, "source": 0.5, "ranker": 0.6}
    assert preferred(scores, "ranker", measure=MEASURE) == (
        "baseline",
        "baseline is served, not ranker: NDCG@10 on validation is 0.6000 for both.",
    )
    assert preferred({"a": 0.6, "b": 0.6, "c": 0.5}, "c", measure=MEASURE)[0] == "a"


def test_the_beginning_of_the_sentence_may_be_given() -> None:
    scores = {"BM25 {k1}": 2.0, "ranker": 1.0}
    _, said = preferred(scores, "ranker", measure="gain", told="Pages are ordered by {served}")
    assert said == "Pages are ordered by BM25 {k1}: gain is 2.0000 against 1.0000."


def test_the_learned_one_must_be_among_the_scores() -> None:
    with pytest.raises(AssertionError, match="ranker"):
        preferred({"baseline": 1.0}, "ranker", measure="gain")
