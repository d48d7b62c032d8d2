"""Images with what they are and what was said: at even steps, and the mistakes said most surely."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from common.evaluation.classifier import surest_mistakes
from common.evaluation.examples import Example, Item, evenly, picture
from patterns.vision.classification.data import Splits


def examples(splits: Splits, final: np.ndarray, *, some: int = 12, most: int = 18) -> list[Example]:
    """Return images with their classes by the probabilities (N, K) of what serves."""
    anywhere = Example(
        "images and answers", "Test images at even steps.",
        _items(splits, final, evenly(len(final), some)),
    )  # fmt: skip
    wrong = surest_mistakes(splits.test.labels, final, most=most)
    if not len(wrong):
        return [anywhere]
    caption = "The mistakes made with the most confidence: wrong labels are found here first."
    return [anywhere, Example("surest mistakes", caption, _items(splits, final, wrong.tolist()))]


def _items(splits: Splits, final: np.ndarray, rows: Iterable[int]) -> tuple[Item, ...]:
    names, labels = splits.label_names, splits.test.labels
    items = []
    for row in rows:
        said = int(final[row].argmax())
        true = names[labels[row]]
        facts = {"said": f"{names[said]}, {final[row, said]:.2f}"}
        items.append(Item(true, facts=facts, pictures=(picture("", splits.test.images[row]),)))
    return tuple(items)
