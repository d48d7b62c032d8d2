"""Exact match and F1 by hand, as SQuAD's evaluation scores them."""

import pytest

from patterns.nlp.qa.stages.score import exact_match, f1, f1_scores, holds, plain
from patterns.nlp.qa.stages.sentences import sentences


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The  Denver Broncos!", "denver broncos"),
        ("an apple a day", "apple day"),
        ("U.S.-based", "usbased"),  # punctuation goes, it does not become a space
        ("Theatre", "theatre"),  # an article is a whole word
        ("$12.50", "1250"),
        ("the", ""),
        ("½ “quoted”", "½ “quoted”"),  # only ASCII punctuation goes
    ],
)
def test_the_form_in_which_answers_are_compared(text: str, expected: str) -> None:
    assert plain(text) == expected


@pytest.mark.parametrize(
    ("said", "right", "em", "score"),
    [
        ("Denver Broncos", ["The Denver Broncos"], 1, 1.0),
        ("the broncos of Denver", ["Denver Broncos", "Broncos"], 0, 2 * 2 / 5),
        ("in 1973", ["1973", "October 1973"], 0, 2 / 3),
        ("1973", ["October 1973", "1973"], 1, 1.0),  # the best right answer counts
        ("to be or to be", ["to be"], 0, 2 * 2 / 7),  # a word counts as often as in both
        ("blue", ["red"], 0, 0.0),
        ("", ["red"], 0, 0.0),
        ("", [], 1, 1.0),  # nothing is right, nothing was said
        ("red", [], 0, 0.0),
    ],
)
def test_scores_by_hand(said: str, right: list[str], em: int, score: float) -> None:
    assert exact_match(said, right) == em
    assert f1(said, right) == pytest.approx(score)


def test_scores_of_many_are_those_of_each() -> None:
    said, right = ["red", "a blue car"], [("red",), ("blue", "car")]
    assert f1_scores(said, right).tolist() == [1.0, pytest.approx(2 / 3)]


def test_an_answer_stands_in_whole_words() -> None:
    assert holds("It was the Denver Broncos.", "denver broncos")
    assert not holds("It was 1973.", "197") and not holds("anything", "the")


def test_sentences_know_their_characters() -> None:
    text = 'John F. Kennedy spoke. "Why?" He left!\nA new line  '
    found = [text[start:end] for start, end in sentences(text)]
    assert found == ["John F. Kennedy spoke.", '"Why?"', "He left!", "A new line"]
    assert sentences(" \n ") == [] and sentences("one") == [(0, 3)]
