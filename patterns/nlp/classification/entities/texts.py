"""Texts with one label each: what a classifier is fitted on and judged by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Texts:
    """N texts and their labels (N,) int64, each an index into the names of the labels."""

    texts: list[str]
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.texts)


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
