"""Results: the hits of a search with their provenance and their reasons.

The answer is made of parts that other stages know: the page of the re-ranker, the ranks in the two
sources, the reasons drawn from the ranker's own account. Nothing is computed here that could
differ from what the stages used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from common.retrieval import MISSING, Candidates, Fused


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
    found: Fused,
    told: Sequence[Sequence[Sequence[str]]],
) -> list[list[Hit]]:
    """Put the pages together: titles (N,), the candidates they were made of, reasons by query.

    A rank of 0 and a score that is no number become None.
    """
    doc_ids = documents["doc_id"]
    pages = []
    for query, reasons in enumerate(told):
        ranks = found.ranks_of(query)
        kept = page.item_ids[query] != MISSING
        rows, scores = page.item_ids[query][kept], page.scores[query][kept]
        hits = []
        for place, (row, score) in enumerate(zip(rows.tolist(), scores.tolist(), strict=True)):
            lexical, nearest = ranks.get(row, (0, 0))
            hits.append(
                Hit(
                    row=row,
                    doc_id=doc_ids[row],
                    title=titles[row],
                    score=score if np.isfinite(score) else None,
                    lexical_rank=lexical or None,
                    dense_rank=nearest or None,
                    reasons=tuple(reasons[place]) if place < len(reasons) else (),
                )
            )
        pages.append(hits)
    return pages
