"""Answering: several passages read, weighed against each other, and one of them cited.

    value(p) = margin(p) + weight · fused(p) / fused(p_1)

The reader looks at each retrieved passage beside the question, which no index does, so its margin
over not answering re-ranks the passages; how well they were retrieved counts by `weight`, chosen on
validation by the F1 of the answers. The best passage gives the answer and is cited with it. The
others keep their own best span, so that a caller sees what else was found. A combination of a
retriever's and a reader's score is that of BERTserini (Yang et al. 2019).

Shapes: B questions, K passages.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np

from common.atomic import write_json
from common.retrieval import MISSING, Candidates
from patterns.nlp.qa.entities.answers import Answer, Found, Reading
from patterns.nlp.qa.entities.passages import Passage
from patterns.nlp.qa.stages.abstention import Abstention
from patterns.nlp.qa.stages.score import f1_scores
from patterns.nlp.qa.stages.servable import Reader

FILE = "answering.json"
WEIGHTS = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
NO_SPAN = -1e9  # the margin of a passage without a span


@dataclass(frozen=True)
class Read:
    """What a reader found in the passages of B questions."""

    item_ids: np.ndarray
    """Rows of passages (B, K), -1 pads."""
    fused: np.ndarray
    """How well each was retrieved, relative to the first (B, K)."""
    margins: np.ndarray
    """By how much each one's best span beats not answering (B, K)."""
    readings: list[list[Reading]]

    def order(self, weight: float) -> np.ndarray:
        """Return the places of the passages (B, K), the best first."""
        value = np.where(self.item_ids == MISSING, -np.inf, self.margins + weight * self.fused)
        return np.argsort(-value, axis=1, kind="stable")

    def best(self, order: np.ndarray) -> tuple[list[str], np.ndarray]:
        """Return the text (B) and margin (B,) of the first passage's best span."""
        texts, margins = [], np.full(len(order), -np.inf)
        for row, place in enumerate(order[:, 0] if order.shape[1] else []):
            spans = self.readings[row][place].spans if self.item_ids[row, place] >= 0 else ()
            texts.append(spans[0].text if spans else "")
            margins[row] = self.margins[row, place] if spans else -np.inf
        return texts or [""] * len(order), margins


class Answering:
    """Reads passages, re-ranks them, and says how sure the answer is."""

    def __init__(self, *, wrong_cost: float = 0.5) -> None:
        self.wrong_cost = wrong_cost
        self.weight_ = WEIGHTS[0]
        self.abstention_ = Abstention(wrong_cost=wrong_cost)

    def fit(self, read: Read, answers: Sequence[Sequence[str]]) -> Self:
        """Choose the weight by F1, ties to the smaller one, then the threshold."""
        best = -1.0
        for weight in WEIGHTS:
            value = float(f1_scores(read.best(read.order(weight))[0], answers).mean())
            if value > best + 1e-9:
                best, self.weight_ = value, weight
        texts, margins = read.best(read.order(self.weight_))
        answerable = np.array([bool(each) for each in answers])
        self.abstention_.fit(margins, f1_scores(texts, answers), answerable)
        return self

    def answer(self, read: Read, passages: Sequence[Passage], row: int, *, k: int) -> Answer:
        """Return the answer to one question, with the best span of its `k` best passages."""
        found = []
        for place in read.order(self.weight_)[row]:
            spans = read.readings[row][place].spans if read.item_ids[row, place] >= 0 else ()
            if spans:
                passage, span = passages[read.item_ids[row, place]], spans[0]
                sure = float(self.abstention_.confidence(read.margins[row, place]))
                start, end = passage.start + span.start, passage.start + span.end
                found.append(Found(span.text, start, end, sure, passage))
        return _answer(found[:k], self.abstention_)

    def save(self, folder: Path) -> None:
        """Write what was chosen."""
        write_json(folder / FILE, {"wrong_cost": self.wrong_cost, "weight": self.weight_})
        self.abstention_.save(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        facts = json.loads((folder / FILE).read_text(encoding="utf-8"))
        stage = cls(wrong_cost=facts["wrong_cost"])
        stage.weight_, stage.abstention_ = facts["weight"], Abstention.load(folder)
        return stage


def read_passages(
    reader: Reader, questions: Sequence[str], passages: Sequence[Passage], found: Candidates
) -> Read:
    """Read each question's passages (B, K), all in one batch."""
    places = np.argwhere(found.item_ids != MISSING)  # (P, 2)
    asked = [questions[row] for row, _ in places]
    texts = [passages[found.item_ids[row, column]].text for row, column in places]
    readings = [[Reading(())] * found.item_ids.shape[1] for _ in questions]
    margins = np.full(found.item_ids.shape, NO_SPAN)
    for (row, column), reading in zip(places, reader.read(asked, texts), strict=True):
        readings[row][column] = reading
        margins[row, column] = max(reading.margin, NO_SPAN)
    first = found.scores[:, :1] if found.scores.shape[1] else found.scores
    kept = found.item_ids != MISSING
    top = np.where(np.isfinite(first) & (first > 0), first, 1.0)
    fused = np.where(kept, np.where(kept, found.scores, 0.0) / top, 0.0)
    return Read(found.item_ids, fused, margins, readings)


def given(reading: Reading, abstention: Abstention, *, k: int) -> Answer:
    """Return the answer from a context that was given, with its `k` best spans."""
    margins = np.array([span.score - reading.null for span in reading.spans[:k]])
    sure = abstention.confidence(margins).tolist()
    found = [
        Found(span.text, span.start, span.end, each)
        for span, each in zip(reading.spans, sure, strict=False)
    ]
    return _answer(found, abstention)


def written(answer: Answer, said: str, text: str) -> Answer:
    """Return the answer in a generator's words, placed where `text` holds them; it may abstain.

    Its confidence stays the reader's, which saw the same text.
    """
    if not said or not answer.found:
        return replace(answer, text="", abstained=True)
    first = answer.found[0]
    offset = first.passage.start if first.passage else 0
    start = text.casefold().find(said.casefold()) if len(text.casefold()) == len(text) else -1
    place = (offset + start, offset + start + len(said)) if start >= 0 else (-1, -1)
    first = replace(first, text=said, start=place[0], end=place[1])
    return replace(answer, text=said, abstained=False, found=(first, *answer.found[1:]))


def _answer(found: Sequence[Found], abstention: Abstention) -> Answer:
    """Give the first of what was found, or abstain."""
    if not found:
        return Answer("", 0.0, True)
    sure = found[0].confidence
    abstained = not bool(abstention.answers(np.array([sure]))[0])
    return Answer("" if abstained else found[0].text, sure, abstained, tuple(found))
