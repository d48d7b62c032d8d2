"""Results: the hits of a search with their provenance and their reasons.

The answer is made of parts that other stages know: the page of the re-ranker, the ranks in the two
sources, the reasons drawn from the ranker's own account. Nothing is computed here that could
differ from what the stages used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from common.retrieval import MISSING, Candidates

EXPLAINED = 10  # hits of a page that carry reasons


@dataclass(frozen=True)
class Hit:
    """One result: the document's row and id, its place in each source, and why it is here."""

    row: int
    doc_id: str
    title: str
    score: float | None  # None: pinned, and no candidate
    lexical_rank: int | None
    dense_rank: int | None
    reasons: tuple[str, ...]


@dataclass
class Results:
    """Hits of each query, and what each stage took for the batch."""

    hits: list[list[Hit]]
    milliseconds: dict[str, float] = field(default_factory=dict)  # by stage


def hits_of(
    documents: pl.DataFrame,
    titles: Sequence[str],
    page: Candidates,
    query: int,
    ranks: Mapping[int, tuple[int, ...]],
    told: Sequence[Sequence[str]],
) -> list[Hit]:
    """Put the page of one query together: titles (N,), ranks in both sources, reasons.

    A rank of 0 and a score that is no number become None.
    """
    doc_ids = documents["doc_id"]
    hits = []
    kept = page.item_ids[query] != MISSING
    rows, scores = page.item_ids[query][kept], page.scores[query][kept]
    pairs = zip(rows.tolist(), scores.tolist(), strict=True)
    for place, (row, score) in enumerate(pairs):
        lexical, nearest = ranks.get(row, (0, 0))
        hits.append(
            Hit(
                row=row,
                doc_id=doc_ids[row],
                title=titles[row],
                score=score if np.isfinite(score) else None,
                lexical_rank=lexical or None,
                dense_rank=nearest or None,
                reasons=tuple(told[place]) if place < len(told) else (),
            )
        )
    return hits
