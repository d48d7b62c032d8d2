"""Texts with what they are and what was said: at even steps, and the mistakes said most surely."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from common.evaluation.classifier import surest_mistakes
from common.evaluation.examples import Example, Item, evenly
from patterns.nlp.classification.data import Splits

LONGEST = 300  # characters of a text


def examples(splits: Splits, final: np.ndarray, *, some: int = 6, most: int = 12) -> list[Example]:
    """Return texts with their classes by the probabilities (N, C) of what serves."""
    anywhere = Example(
        "texts and answers", "Test texts at even steps.",
        _items(splits, final, evenly(len(final), some)),
    )  # fmt: skip
    wrong = surest_mistakes(splits.test.labels, final, most=most)
    if not len(wrong):
        return [anywhere]
    caption = "Wrong with the most confidence; wrong labels are found here first."
    return [anywhere, Example("surest mistakes", caption, _items(splits, final, wrong.tolist()))]


def _items(splits: Splits, final: np.ndarray, rows: Iterable[int]) -> tuple[Item, ...]:
    names, labels = splits.label_names, splits.test.labels
    items = []
    for row in rows:
        text = splits.test.texts[row].strip()
        if len(text) > LONGEST:
            text = text[:LONGEST] + "…"
        said = int(final[row].argmax())
        facts = {"truth": names[labels[row]], "said": names[said]}
        items.append(Item(text, facts=facts | {"confidence": f"{final[row, said]:.2f}"}))
    return tuple(items)
