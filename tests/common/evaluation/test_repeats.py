"""Near repeats: one word changed, added or left out is found; two are not."""

import numpy as np
import pytest

from common.evaluation.repeats import LONG, near_repeats

KNOWN = ["How do I top up my card?", "one two three", " ".join(f"w{n}" for n in range(80))]


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("how do i top up my card", True),
        ("How do I top up my phone?", True),  # changed
        ("How do I quickly top up my card", True),  # added
        ("How do I top up card", True),  # left out
        ("How can I top up my phone?", False),  # two changed
        ("card my up top I do How", False),  # another order
        ("one two four", False),  # too short to say
        ("", False),
        ("Subject: " + KNOWN[2], True),  # another beginning
        (KNOWN[2] + " and an end", True),
        (" ".join(f"w{n}" for n in range(20, 60)), False),
    ],
)
def test_texts_that_differ_by_one_word_are_near(text: str, near: bool) -> None:
    assert near_repeats([text], KNOWN).tolist() == [near]
    assert len(KNOWN[2].split()) > LONG


def test_nothing_is_near_to_nothing() -> None:
    assert near_repeats([], KNOWN).shape == (0,) and near_repeats([], KNOWN).dtype == np.bool_
    assert near_repeats(["a b c d e"], []).tolist() == [False]
