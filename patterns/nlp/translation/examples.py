"""Test sentences with their reference and what was made of them: at even steps, and far from it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from common.evaluation.examples import Example, Item, evenly
from patterns.nlp.translation.entities.pairs import Pairs
from patterns.nlp.translation.evaluation.quality import System

LONGEST = 300  # characters of a text


def examples(
    test: Pairs, base: System, best: System, *, some: int = 8, most: int = 8
) -> list[Example]:
    """Return sentences with the reference, the baseline and the best that was learned."""
    shares = best.counts[:, 0] / np.maximum(best.counts[:, 4], 1)  # of words that are right
    far = np.argsort(shares, kind="stable")[:most].tolist()
    return [
        Example(
            "translations", "Test sentences at even steps.",
            _items(test, base, best, evenly(len(test), some)),
        ),
        Example(
            "far from the reference",
            "The fewest words of the reference: mistakes, and right translations in other words.",
            _items(test, base, best, far),
        ),
    ]  # fmt: skip


def _items(test: Pairs, base: System, best: System, rows: Iterable[int]) -> tuple[Item, ...]:
    return tuple(
        Item(
            _shown(test.sources, row),
            facts={
                "reference": _shown(test.targets, row),
                "translation": _shown(best.texts, row),
                base.name: _shown(base.texts, row),
            },
        )
        for row in rows
    )


def _shown(texts: Sequence[str], row: int) -> str:
    text = texts[row].strip()
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"
