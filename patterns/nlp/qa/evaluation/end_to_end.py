"""How good the answers are where no context is given: retrieved, re-ranked, read, and cited."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from common.evaluation.report import Row, Table, Value
from patterns.nlp.qa.data import Splits
from patterns.nlp.qa.entities.passages import Passage
from patterns.nlp.qa.entities.questions import Questions
from patterns.nlp.qa.evaluation.asked import Said, said_of, scored
from patterns.nlp.qa.pipeline import Pipeline
from patterns.nlp.qa.stages.abstention import RIGHT, Abstention
from patterns.nlp.qa.stages.answering import Read, read_passages
from patterns.nlp.qa.stages.score import holds

ANY = Abstention()  # a threshold of 0: whatever is found is said


@dataclass(frozen=True)
class Way:
    """One way to answer: what was said, and the passage that each answer cites."""

    said: Said
    cited: list[Passage | None]


@dataclass(frozen=True)
class Retrieved:
    """The test questions answered without a context, in several ways."""

    part: Questions
    ways: dict[str, Way]
    """The baseline first, what serves last."""
    confidence: np.ndarray
    """Of the re-ranked answers (N,), before any abstention."""
    unasked: Way
    """The re-ranked answers, whatever their confidence."""
    ceiling: Said | None
    """The served reader with the right context."""


def answer_retrieved(pipeline: Pipeline, splits: Splits) -> Retrieved:
    """Answer test questions, or a sample of them, from the passages that were indexed."""
    retriever, answering = pipeline.retriever, pipeline.answering
    assert retriever is not None and answering is not None and pipeline.served_ is not None
    assert pipeline.baseline is not None
    part = splits.test.sample(pipeline.test_questions or len(splits.test), seed=pipeline.seed)
    part = part.sample(pipeline.test_retrieved or len(part), seed=pipeline.seed)
    passages, served = retriever.passages_, pipeline.served_
    lexical = read_passages(
        pipeline.baseline, part.texts, passages, retriever.lexical(part.texts, 1)
    )
    read = pipeline.read(part.texts)
    order = read.order(answering.weight_)
    texts, margins = read.best(order)
    sure = answering.abstention_.confidence(margins)
    cited = _cited(read, order, passages)
    unasked = Way(scored(texts, sure, part), cited)
    kept = answering.abstention_.answers(sure)
    abstaining = [text if keep else "" for text, keep in zip(texts, kept, strict=True)]
    ways = {
        "word overlap in BM25's first": _first(lexical, passages, part),
        "reader in the first passage": _first(_head(read), passages, part),
        f"+ {pipeline.passages} passages, re-ranked": unasked,
        "+ abstention": Way(scored(abstaining, sure, part), cited),
    }
    ceiling = said_of(served.read(part.texts, part.contexts), ANY, part)
    return Retrieved(part, ways, sure, unasked, ceiling)


def end_to_end_table(found: Retrieved, splits: Splits, *, seed: int) -> Table:
    """Compare the ways to answer without a context; the right context is the ceiling."""
    rows = [
        Row(name, way.said.values(seed=seed) | _citations(way, found.part), baseline=not place)
        for place, (name, way) in enumerate(found.ways.items())
    ]
    columns = tuple(rows[0].values)
    if found.ceiling is not None:
        rows.append(Row("reader in the right context", found.ceiling.values(seed=seed)))
    caption = (
        f"{len(found.part):,} of {len(splits.test):,} test questions, drawn at random, without a"
        " context. An answer that is not given counts as wrong in EM and F1 where there is one."
        " Right passage: it cites the paragraph the question was written for. Supported: the answer"
        " stands in the passage it cites. Wrong: given with an F1 below half."
    )
    return Table("without a context", columns, tuple(rows), caption)


def _citations(way: Way, part: Questions) -> dict[str, Value]:
    """Return how the given answers are, and how they are cited."""
    given = way.said.answered
    ids = part.paragraph_ids
    right = np.array([c is not None and c.id == own for c, own in zip(way.cited, ids, strict=True)])
    supported = np.array([
        c is not None and (text in c.text or holds(c.text, text))
        for c, text in zip(way.cited, way.said.texts, strict=True)
    ])  # fmt: skip
    some = bool(given.any())
    return {
        "F1 of answered": float(way.said.f1[given].mean()) if some else None,
        "wrong": float((given & (way.said.f1 < RIGHT)).mean()),
        "right passage": float(right[given].mean()) if some else None,
        "supported": float(supported[given].mean()) if some else None,
    }


def _first(read: Read, passages: Sequence[Passage], part: Questions) -> Way:
    """Take the best span of the first passage, as it was retrieved."""
    order = np.tile(np.arange(read.item_ids.shape[1]), (len(part), 1))
    texts, margins = read.best(order)
    return Way(scored(texts, ANY.confidence(margins), part), _cited(read, order, passages))


def _head(read: Read) -> Read:
    """Keep the first passage of each question."""
    first = [each[:1] for each in read.readings]
    return Read(read.item_ids[:, :1], read.fused[:, :1], read.margins[:, :1], first)


def _cited(read: Read, order: np.ndarray, passages: Sequence[Passage]) -> list[Passage | None]:
    if not order.shape[1]:
        return [None] * len(order)
    rows = np.take_along_axis(read.item_ids, order[:, :1], axis=1)[:, 0]
    return [passages[row] if row >= 0 else None for row in rows]
