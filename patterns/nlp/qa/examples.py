"""Questions, what is right and what was said: at even steps, and the surest mistakes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from common.evaluation.examples import Example, Item, evenly
from patterns.nlp.qa.evaluation.asked import Asked
from patterns.nlp.qa.evaluation.end_to_end import Retrieved

AROUND = 110  # characters of the context on both sides of an answer


def examples(asked: Asked, retrieved: Retrieved, *, some: int = 6, most: int = 10) -> list[Example]:
    """Return questions with their context, from retrieved passages, and the surest mistakes."""
    anywhere = Example(
        "questions and answers", "Test questions with their right context, at even steps.",
        tuple(_given(asked, evenly(len(asked.part), some))),
    )  # fmt: skip
    cited = Example(
        "answers with their passage", "Test questions without a context, at even steps.",
        tuple(_cited(retrieved, evenly(len(retrieved.part), some))),
    )  # fmt: skip
    final = asked.final
    wrong = np.flatnonzero((final.f1 == 0) & final.answered)
    wrong = wrong[np.argsort(-final.confidence[wrong], kind="stable")][:most]
    if not len(wrong):
        return [anywhere, cited]
    caption = "Wrong with the most confidence; questions with a wrong answer are found here first."
    return [anywhere, cited, Example("surest mistakes", caption, tuple(_given(asked, wrong)))]


def _given(asked: Asked, rows: Iterable[int]) -> Iterable[Item]:
    for row in rows:
        question, said = asked.part.questions[row], asked.final.texts[row]
        facts = {
            "truth": question.answers[0] if question.answers else "not told",
            "said": said or "nothing",
            "confidence": f"{asked.final.confidence[row]:.2f}",
        }
        start = question.starts[0] if question.starts else 0
        context = asked.part.paragraphs[question.paragraph].text
        yield Item(question.text, _around(context, start), facts=facts)


def _cited(retrieved: Retrieved, rows: Iterable[int]) -> Iterable[Item]:
    way = retrieved.unasked
    for row in rows:
        question, passage = retrieved.part.questions[row], way.cited[row]
        said = way.said.texts[row]
        facts = {
            "truth": question.answers[0] if question.answers else "not told",
            "said": said or "nothing",
            "confidence": f"{retrieved.confidence[row]:.2f}",
            "cited": passage.title if passage else "nothing",
        }
        text = _around(passage.text, max(0, passage.text.find(said))) if passage else ""
        yield Item(question.text, text, facts=facts)


def _around(text: str, place: int) -> str:
    """Return the part of a text around a place."""
    start, end = max(0, place - AROUND), min(len(text), place + AROUND)
    return f"{'…' if start else ''}{text[start:end].strip()}{'…' if end < len(text) else ''}"
