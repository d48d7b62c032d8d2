"""What is said to a question: spans of a text, and the answer with the passages it cites."""

from __future__ import annotations

from dataclasses import dataclass

from patterns.nlp.qa.entities.passages import Passage


@dataclass(frozen=True)
class Span:
    """Characters `start` to `end` of a context, and how well they answer."""

    text: str
    start: int
    end: int
    score: float


@dataclass(frozen=True)
class Reading:
    """What a reader found in one context: its best spans, and the score of not answering.

    `spans` are ordered best first and may be none, as in a context without a word.
    """

    spans: tuple[Span, ...]
    null: float = 0.0

    @property
    def margin(self) -> float:
        """By how much the best span beats not answering; minus infinity without a span."""
        return self.spans[0].score - self.null if self.spans else float("-inf")


@dataclass(frozen=True)
class Found:
    """One possible answer, and the passage that it cites; none where a context was given.

    `start` and `end` are characters of the context, or of the paragraph that the passage is of; -1
    where a generated answer does not stand there word for word. `confidence` is the probability
    that it is right.
    """

    text: str
    start: int
    end: int
    confidence: float
    passage: Passage | None = None


@dataclass(frozen=True)
class Answer:
    """The answer to one question, empty where it abstained, and what it was chosen from.

    `found` are the possible answers, the best first: of one context its spans, else the best of
    each passage that was read, in the order of the passages after re-ranking.
    """

    text: str
    confidence: float
    abstained: bool
    found: tuple[Found, ...] = ()

    @property
    def passage(self) -> Passage | None:
        """The passage that the answer cites."""
        return self.found[0].passage if self.found else None
