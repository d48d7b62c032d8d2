"""For which queries is the search better or worse?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from common.evaluation.report import Row, Table
from common.retrieval.bm25 import InvertedIndex
from patterns.search_ranking.entities.documents import ALL
from patterns.search_ranking.entities.queries import JudgedQueries
from patterns.search_ranking.evaluation.end_to_end import (
    BASELINE,
    FULL,
    JUDGED,
    Scores,
    columns_for,
)
from patterns.search_ranking.pipeline import Pipeline
from patterns.search_ranking.stages.candidates.sources import DENSE, HYBRID
from patterns.search_ranking.stages.lists import RANKED


def by_slice(pipeline: Pipeline, scores: Scores, test: JudgedQueries) -> Table:
    """Tabulate NDCG@10 by length of query, by its rarest word, by answers to find."""
    metric = JUDGED if JUDGED in columns_for(test) else FULL
    rarest = lowest_frequencies(pipeline.bm25.indices_[ALL], test.texts)
    answers = (test.grades > 0).sum(axis=1)
    middle = np.median(rarest)
    slices = {
        **_by_length(np.array([len(text.split()) for text in test.texts])),
        "rarest word in few documents": rarest <= middle,
        "rarest word in many documents": rarest > middle,
        "1 relevant document": answers == 1,
        "2 to 5 relevant": (answers > 1) & (answers <= 5),
        "over 5 relevant": answers > 5,
    }
    shown = (BASELINE, DENSE, HYBRID, RANKED)
    rows = []
    for name, members in slices.items():
        if members.any() and not members.all():
            cells = {key: float(scores[key][metric][members].mean()) for key in shown}
            rows.append(Row(name, {"queries": f"{members.sum():,}", **cells}))
    return Table(f"{metric}, by slice", ("queries", *shown), tuple(rows))


def _by_length(words: np.ndarray) -> dict[str, np.ndarray]:
    """Cut the queries by their words (B,): short ones word by word, long ones into thirds."""
    if np.median(words) <= 6:
        lengths = {"1 word": words == 1, "2 words": words == 2, "3 words": words == 3}
        return {**lengths, "4 words or more": words >= 4}
    low, high = (int(value) for value in np.quantile(words, [1 / 3, 2 / 3]))
    return {
        f"up to {low} words": words <= low,
        f"{low + 1} to {high} words": (words > low) & (words <= high),
        f"over {high} words": words > high,
    }


def lowest_frequencies(index: InvertedIndex, texts: Sequence[str]) -> np.ndarray:
    """Return the document frequency of the rarest known word of each text, (B,); 0 without one."""
    terms, starts = index.terms(texts)
    lowest = np.zeros(len(texts), np.int64)
    for row in range(len(texts)):
        own = terms[starts[row] : starts[row + 1]]
        known = own[own >= 0]
        lowest[row] = index.document_frequency[known].min() if len(known) else 0
    return lowest
