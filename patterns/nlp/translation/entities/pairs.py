"""Pairs of texts, a source and its translation: what a translator is fitted on and judged by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Pairs:
    """N texts and their translations."""

    sources: list[str]
    targets: list[str]

    def __post_init__(self) -> None:
        assert len(self.sources) == len(self.targets)

    def __len__(self) -> int:
        return len(self.sources)

    def chosen(self, rows: Sequence[int]) -> Pairs:
        """Return some of them."""
        return Pairs([self.sources[row] for row in rows], [self.targets[row] for row in rows])


def text_profile(texts: Sequence[str]) -> pl.DataFrame:
    """Describe each text by a few numbers, for drift monitoring."""
    import polars as pl

    text = pl.col("text")
    return pl.DataFrame({"text": texts}).select(
        characters=text.str.len_chars(),
        words=text.str.split(" ").list.len(),
        digits=text.str.count_matches(r"\d"),
        non_ascii=text.str.count_matches(r"[^\x00-\x7f]"),
    )
