"""What is said to a question: spans of a text, and the answer with the passage it cites."""

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
class Answer:
    """The answer to one question; `text` is empty where it abstained.

    `start` and `end` are characters of the context that was given, or else of the paragraph cited;
    `score` is what is compared with the threshold. A generated answer that the passage does not
    hold word for word has no span: `start` and `end` are -1.
    """

    text: str
    score: float
    abstained: bool
    start: int = -1
    end: int = -1
    passage: Passage | None = None
    n_best: tuple[Span, ...] = ()
    passages: tuple[Passage, ...] = ()
    """What was retrieved, best first; none where a context was given."""
