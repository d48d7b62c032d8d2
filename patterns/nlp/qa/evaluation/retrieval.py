"""How often the right paragraph is found, by each source and by both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from common.evaluation.bootstrap import interval
from common.evaluation.report import Estimate, Row, Table, Value
from patterns.nlp.qa.data import Splits
from patterns.nlp.qa.pipeline import Pipeline

CUTOFFS = (1, 5, 20)


@dataclass(frozen=True)
class Ranks:
    """The rank of the right paragraph of each answerable test question, by source (N,)."""

    by_source: dict[str, np.ndarray]
    passages: int
    paragraphs: int

    def recall(self, source: str, k: int) -> np.ndarray:
        """Return whether it is among the best k (N,)."""
        return (self.by_source[source] <= k).astype(float)


def ranks(pipeline: Pipeline, splits: Splits) -> Ranks:
    """Search for every answerable test question."""
    retriever = pipeline.retriever
    assert retriever is not None
    answered = [row for row, each in enumerate(splits.test.questions) if each.answerable]
    part = splits.test.some(answered)
    lexical, nearest = retriever.sources(part.texts, retriever.candidates)
    lists = {
        "BM25": lexical,
        "dense": nearest,
        "hybrid": retriever.merge(lexical, nearest, retriever.candidates),
    }
    found = {name: retriever.ranks(each, part.paragraph_ids) for name, each in lists.items()}
    paragraphs = len({each.id for each in retriever.passages_})
    return Ranks(found, len(retriever.passages_), paragraphs)


def retrieval_table(found: Ranks, *, seed: int) -> Table:
    """Compare the sources by recall of the right paragraph and mean reciprocal rank."""
    rows: list[Row] = []
    for name, own in found.by_source.items():
        values: dict[str, Value] = {}
        for k in CUTOFFS:
            hits = found.recall(name, k)
            values[f"recall@{k}"] = Estimate(float(hits.mean()), *interval(hits, seed=seed))
        values["MRR"] = float((1 / own).mean())
        rows.append(Row(name, values, baseline=not rows))
    count = len(next(iter(found.by_source.values())))
    caption = (
        f"{count:,} answerable test questions searched in {found.passages:,} passages of"
        f" {found.paragraphs:,} paragraphs; another paragraph may tell the same and counts as a"
        " miss. What is merged, and how, was chosen on validation."
    )
    return Table("retrieval", tuple(rows[0].values), tuple(rows), caption)
