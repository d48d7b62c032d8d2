"""Where the reader is good: by what is asked, how long the answer is, how long the context is."""

from __future__ import annotations

import numpy as np

from common.evaluation.report import Row, Table, Value
from patterns.nlp.qa.entities.questions import Questions
from patterns.nlp.qa.evaluation.asked import Asked

ASKED = ("how many", "how much", "what", "who", "when", "where", "which", "why", "how")
ANSWER_WORDS = ((1, 1), (2, 3), (4, 7), (8, 10**6))
CONTEXT_WORDS = ((0, 80), (81, 120), (121, 160), (161, 10**9))


def slices_table(asked: Asked) -> Table:
    """Give F1 and EM by question word, words of the answer and words of the context."""
    rows = []
    for name, mine in _groups(asked.part):
        if mine.any():
            values: dict[str, Value] = {
                "baseline F1": float(asked.baseline.f1[mine].mean()),
                "F1": float(asked.final.f1[mine].mean()),
                "EM": float(asked.final.em[mine].mean()),
                "questions": float(mine.sum()),
            }
            rows.append(Row(name, values))
    caption = (
        "With the right context given; the words of an answer are those of its shortest right one."
        " A long context is read in windows that overlap."
    )
    columns = ("baseline F1", "F1", "EM", "questions")
    return Table("slices", columns, tuple(rows), caption)


def question_word(question: str) -> str:
    """Return the first of the usual question words that stands in it, or "other"."""
    padded = f" {question.lower().replace('?', ' ')} "
    places = {word: padded.find(f" {word} ") for word in ASKED}
    found = {word: place for word, place in places.items() if place >= 0}
    if not found:
        return "other"
    return min(found, key=lambda word: (found[word], -len(word)))


def _groups(part: Questions) -> list[tuple[str, np.ndarray]]:
    """Return named groups of questions (N,) bool."""
    words = np.array([question_word(text) for text in part.texts])
    answers = np.array([min((len(a.split()) for a in each), default=0) for each in part.answers])
    contexts = np.array([len(text.split()) for text in part.contexts])
    groups = [(f"asks {word}", words == word) for word in (*ASKED, "other")]
    groups += [
        (f"answer of {_range(low, high)}", (answers >= low) & (answers <= high))
        for low, high in ANSWER_WORDS
    ]
    groups += [
        (f"context of {_range(low, high)}", (contexts >= low) & (contexts <= high))
        for low, high in CONTEXT_WORDS
    ]
    return groups


def _range(low: int, high: int) -> str:
    if low == high:
        return f"{low} word{'s' if low > 1 else ''}"
    if high >= 10**6:
        return f"{low} words or more"
    return f"up to {high} words" if low == 0 else f"{low} to {high} words"
