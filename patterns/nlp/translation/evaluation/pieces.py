"""What the vocabulary does to texts: how finely each language is cut, and whether it comes back."""

from __future__ import annotations

import unicodedata

from common.evaluation.report import Row, Table
from patterns.nlp.translation.data import Splits
from patterns.nlp.translation.stages.lexicon import tokens
from patterns.nlp.translation.stages.subwords import Subwords

COLUMNS = ("words", "pieces a word", "words of one piece", "come back equal")


def pieces_table(subwords: Subwords, splits: Splits) -> Table:
    """Cut the test texts of both languages."""
    rows = []
    for language, texts in zip(
        splits.languages, (splits.test.sources, splits.test.targets), strict=True
    ):
        words = [f" {word}" for text in texts for word in tokens(text)]
        found = subwords.encode(texts)
        lengths = list(map(len, subwords.encode(words)))
        plain = [unicodedata.normalize("NFC", text) for text in texts]
        back = [a == b for a, b in zip(subwords.decode(found), plain, strict=True)]
        values = {
            "words": float(len(words)),
            "pieces a word": sum(map(len, found)) / len(words),
            "words of one piece": sum(length == 1 for length in lengths) / len(words),
            "come back equal": sum(back) / len(texts),
        }
        rows.append(Row(language, values))
    caption = (
        f"{subwords.size_:,} pieces of {subwords.kind}, of both languages together; words and signs"
        " of the test texts."
    )
    return Table("subwords", COLUMNS, tuple(rows), caption)
