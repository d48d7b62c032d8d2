"""What the report of question answering computes, by hand."""

import numpy as np
import polars as pl
import pytest
from planted_questions import coloured

from patterns.nlp.qa.entities.questions import question_profile
from patterns.nlp.qa.evaluation.abstention import coverage_curve
from patterns.nlp.qa.evaluation.slices import question_word


def test_what_abstention_buys_by_hand() -> None:
    shares, values = coverage_curve(np.array([0.1, 0.9, 0.5]), np.array([0.0, 1.0, 0.5]))
    assert shares.tolist() == pytest.approx([1 / 3, 2 / 3, 1])
    assert values.tolist() == pytest.approx([1, 0.75, 0.5])


@pytest.mark.parametrize(
    ("question", "word"),
    [
        ("How many people live there?", "how many"),
        ("In which year did it begin?", "which"),
        ("Who, when asked, said no?", "when"),
        ("whose is it", "other"),
        ("How?", "how"),
    ],
)
def test_the_question_word(question: str, word: str) -> None:
    assert question_word(question) == word


def test_a_profile_holds_no_text() -> None:
    frame = question_profile(coloured(20, unanswerable=0.5))
    assert frame.height == 20 and not any(kind == pl.String for kind in frame.dtypes)
