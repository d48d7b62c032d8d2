"""Test questions read once, with the right context and from retrieved passages, for every table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from common.evaluation.bootstrap import interval, paired_difference
from common.evaluation.latency import Latency, measure
from common.evaluation.report import Estimate, Row, Table, Value
from patterns.nlp.qa.data import Splits
from patterns.nlp.qa.entities.answers import Reading
from patterns.nlp.qa.entities.questions import Questions
from patterns.nlp.qa.pipeline import Pipeline
from patterns.nlp.qa.stages.abstention import Abstention
from patterns.nlp.qa.stages.score import exact_matches, f1_scores
from patterns.nlp.qa.stages.servable import Reader

BUDGET_MS = 100.0  # of reading one context
TIMED = 100  # questions


@dataclass(frozen=True)
class Said:
    """What was said to the questions of a part, and how well (N,)."""

    texts: list[str]
    """Empty where it abstained."""
    confidence: np.ndarray
    em: np.ndarray
    f1: np.ndarray

    @property
    def answered(self) -> np.ndarray:
        """Which questions got an answer."""
        return np.array([bool(text) for text in self.texts])

    def values(self, *, seed: int) -> dict[str, Value]:
        """Return EM and F1 with their intervals, and the share answered."""
        return {
            "EM": Estimate(float(self.em.mean()), *interval(self.em, seed=seed)),
            "F1": Estimate(float(self.f1.mean()), *interval(self.f1, seed=seed)),
            "answered": float(self.answered.mean()),
        }


@dataclass(frozen=True)
class Asked:
    """The test questions that are read with their right context, by the baseline and the model."""

    part: Questions
    said: dict[str, Said]
    """By reader, the baseline first."""
    latency: dict[str, Latency]
    served: str

    @property
    def baseline(self) -> Said:
        """What the baseline said."""
        return next(iter(self.said.values()))

    @property
    def final(self) -> Said:
        """What the reader that serves said."""
        return self.said[self.served]


def ask(pipeline: Pipeline, splits: Splits) -> Asked:
    """Read the test questions, or a sample of them, with their contexts."""
    most = pipeline.test_questions or len(splits.test)
    part = splits.test.sample(most, seed=pipeline.seed)
    readers = _readers(pipeline)
    said = {}
    for name, reader in readers.items():
        found = reader.read(part.texts, part.contexts)
        abstention = pipeline.given_.get(reader.name) or Abstention()
        said[name] = said_of(found, abstention, part)
    served = next(name for name, reader in readers.items() if reader is pipeline.served_)
    timed = list(zip(part.texts, part.contexts, strict=True))[:TIMED]
    latency = {
        name: measure(
            name, lambda pair, own=reader: own.read([pair[0]], [pair[1]]), timed,  # type: ignore[misc]
            budget_ms=BUDGET_MS,
        )
        for name, reader in readers.items()
    }  # fmt: skip
    return Asked(part, said, latency, served)


def _readers(pipeline: Pipeline) -> dict[str, Reader]:
    """List the readers, the baseline first; an export stands for what it was exported from."""
    assert pipeline.baseline is not None and pipeline.served_ is not None
    readers: dict[str, Reader] = {pipeline.baseline.name: pipeline.baseline}
    trained = pipeline.trained_
    if trained is not None:
        exported = pipeline.served_.kind == "onnx"
        readers[trained.name] = pipeline.served_ if exported else trained
    return readers


def said_of(found: list[Reading], abstention: Abstention, part: Questions) -> Said:
    """Take each best span that is sure enough."""
    margins = np.array([each.margin for each in found])
    confidence = abstention.confidence(margins)
    given = abstention.answers(confidence)
    texts = [
        each.spans[0].text if answers else "" for each, answers in zip(found, given, strict=True)
    ]
    return scored(texts, confidence, part)


def scored(texts: list[str], confidence: np.ndarray, part: Questions) -> Said:
    """Score what was said against the right answers."""
    return Said(
        texts, confidence, exact_matches(texts, part.answers), f1_scores(texts, part.answers)
    )


def headline_table(asked: Asked, splits: Splits, *, seed: int) -> Table:
    """Compare the readers with the right context given, the baseline first."""
    rows: list[Row] = []
    for name, said in asked.said.items():
        time = asked.latency[name]
        times = {"p50 ms": time.p50_ms, "p99 ms": time.p99_ms}
        rows.append(Row(name, said.values(seed=seed) | times, baseline=not rows))
    several = sum(len(each.answers) > 1 for each in asked.part.questions)
    caption = (
        f"{len(asked.part):,} of {len(splits.test):,} test questions, drawn at random, in their"
        f" right context; {several:,} have several right answers, of which the best counts; 95 %"
        " bootstrap intervals; milliseconds of one question alone, from text to span."
    )
    if len(asked.part) == len(splits.test):
        caption = caption.replace(", drawn at random", "")
    return Table("question answering", tuple(rows[0].values), tuple(rows), caption)


def gain(asked: Asked, *, seed: int) -> Estimate:
    """Return how far the F1 of what serves lies above the baseline's, paired by question."""
    return Estimate.of(paired_difference(asked.final.f1, asked.baseline.f1, seed=seed))


def unanswerable_table(asked: Asked) -> Table | None:
    """Tell how questions without an answer are handled; None where there are none."""
    has = np.array([each.answerable for each in asked.part.questions])
    if has.all():
        return None
    rows: list[Row] = []
    for name, said in asked.said.items():
        values: dict[str, Value] = {
            "F1 of answerable": float(said.f1[has].mean()) if has.any() else None,
            "answered of answerable": float(said.answered[has].mean()) if has.any() else None,
            "rightly not answered": float(1 - said.answered[~has].mean()),
            "questions without an answer": float((~has).sum()),
        }
        rows.append(Row(name, values, baseline=not rows))
    caption = "Of questions that their context does not answer, the share that got no answer."
    return Table("no answer", tuple(rows[0].values), tuple(rows), caption)
