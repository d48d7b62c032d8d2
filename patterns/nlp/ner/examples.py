"""Sentences with their true and said entities: at even steps, and the mistakes said most surely."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from common.evaluation.examples import Example, Item, evenly
from common.evaluation.spans import Span
from patterns.nlp.ner.entities.sentences import Words
from patterns.nlp.ner.evaluation.answers import Answers
from patterns.nlp.ner.evaluation.confidence import Confident

LONGEST = 300  # characters of a sentence


def examples(answers: Answers, sure: Confident, *, some: int = 8, most: int = 12) -> list[Example]:
    """Return sentences in which something is true or said, and the surest mistakes."""
    rows = [
        row for row, (true, said) in enumerate(zip(answers.true, answers.final, strict=True))
        if true or said
    ] or [0]  # fmt: skip
    chosen = [rows[place] for place in evenly(len(rows), some)]
    anywhere = Example(
        "sentences and entities", "Test sentences with entities, at even steps.",
        tuple(_item(answers, row) for row in chosen),
    )  # fmt: skip
    wrong = np.flatnonzero(sure.right == 0)
    wrong = wrong[np.argsort(-sure.confidence[wrong], kind="stable")][:most]
    if not len(wrong):
        return [anywhere]
    caption = "Wrong with the most confidence; wrong tags of the corpus are found here first."
    items = tuple(
        _item(answers, int(sure.row[each]), confidence=float(sure.confidence[each]))
        for each in wrong
    )
    return [anywhere, Example("surest mistakes", caption, items)]


def _item(answers: Answers, row: int, *, confidence: float | None = None) -> Item:
    words = answers.splits.test.words[row]
    text = " ".join(words)
    if len(text) > LONGEST:
        text = text[:LONGEST] + "…"
    facts = {"truth": _listed(words, answers.true[row]), "said": _listed(words, answers.final[row])}
    if confidence is not None:
        facts["confidence"] = f"{confidence:.2f}"
    return Item(text, facts=facts)


def _listed(words: Words, found: Iterable[Span]) -> str:
    said = [f"{' '.join(words[start:end])} ({kind})" for start, end, kind in found]
    return ", ".join(said) or "nothing"
