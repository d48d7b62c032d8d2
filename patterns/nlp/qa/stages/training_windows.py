"""What a reader is trained on: one window a question, with the tokens at which its answer begins
and ends, and windows that do not answer.

Of a long paragraph one window that holds the whole answer is drawn, so that a token read teaches as
much as it can. A share of `negatives` puts a question beside another paragraph of its article,
which must not hold the answer; the target of these, as of questions that their own paragraph does
not answer, is the first token, which stands for "it is not here". Without them a reader never
learns to say so, and its scores of two passages cannot be compared.

Questions are drawn at random until `budget` tokens are reached.

Shapes: N windows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from patterns.nlp.qa.entities.questions import Question, Questions
from patterns.nlp.qa.stages.windows import PairTokens, Window

BLOCK = 512  # questions cut into windows at a time


@dataclass
class TrainingWindows:
    """Token ids of N windows, and the first and last token of each answer."""

    ids: list[list[int]] = field(default_factory=list)
    targets: list[tuple[int, int]] = field(default_factory=list)
    questions: int = 0
    """How many questions were drawn."""

    @property
    def tokens(self) -> int:
        """Tokens of all windows together."""
        return sum(map(len, self.ids))

    def add(self, window: Window, target: tuple[int, int]) -> None:
        """Append one window."""
        self.ids.append(window.ids)
        self.targets.append(target)


def training_windows(
    train: Questions, tokens: PairTokens, *, negatives: float, budget: int, seed: int
) -> TrainingWindows:
    """Draw questions until `budget` tokens are reached, all of them if these are fewer."""
    rng = np.random.default_rng(seed)
    found = TrainingWindows()
    read = 0
    for rows in _blocks(rng.permutation(len(train))):
        for window, target, opens in _block(train, rows, tokens, negatives, rng):
            if opens and read >= budget:
                return found
            found.questions += opens
            found.add(window, target)
            read += len(window.ids)
    return found


def _blocks(rows: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(rows), BLOCK):
        yield rows[start : start + BLOCK]


def _block(
    train: Questions,
    rows: np.ndarray,
    tokens: PairTokens,
    negatives: float,
    rng: np.random.Generator,
) -> Iterator[tuple[Window, tuple[int, int], bool]]:
    """Yield (window, target, whether it is the first of its question)."""
    extra = negatives / (1 - negatives)  # windows beside each question's own
    asked = [train.questions[row] for row in rows]
    others = [_other(train, each, rng) if rng.random() < extra else None for each in asked]
    texts = [each.text for each in asked]
    own = _by_row(tokens(texts, [train.paragraphs[q.paragraph].text for q in asked]), len(asked))
    paired = [(text, other) for text, other in zip(texts, others, strict=True) if other is not None]
    beside = iter(
        _by_row(tokens([text for text, _ in paired], [other for _, other in paired]), len(paired))
    )
    for question, windows, other in zip(asked, own, others, strict=True):
        chosen = _chosen(question, windows, rng)
        if chosen is not None:
            yield (*chosen, True)
        if other is not None:
            yield _drawn(next(beside), rng), (0, 0), chosen is None


def _chosen(
    question: Question, windows: Sequence[Window], rng: np.random.Generator
) -> tuple[Window, tuple[int, int]] | None:
    """Draw a window that holds the first answer whole; None where an answer is too long for any."""
    if not question.answerable:
        return _drawn(windows, rng), (0, 0)
    start = question.starts[0]
    places = [(each, each.place(start, start + len(question.answers[0]))) for each in windows]
    whole = [(window, place) for window, place in places if place is not None]
    return whole[int(rng.integers(len(whole)))] if whole else None


def _other(train: Questions, question: Question, rng: np.random.Generator) -> str | None:
    """Draw a paragraph near the question's own in its article that does not hold the answer."""
    own = train.paragraphs[question.paragraph]
    near = [
        each.text
        for each in train.paragraphs[max(0, question.paragraph - 8) : question.paragraph + 9]
        if each.title == own.title and each.id != own.id
    ]
    without = [
        text
        for text in near
        if not any(answer.casefold() in text.casefold() for answer in question.answers)
    ]
    return without[int(rng.integers(len(without)))] if without else None


def _by_row(windows: Sequence[Window], rows: int) -> list[list[Window]]:
    found: list[list[Window]] = [[] for _ in range(rows)]
    for window in windows:
        found[window.row].append(window)
    return found


def _drawn(windows: Sequence[Window], rng: np.random.Generator) -> Window:
    return windows[int(rng.integers(len(windows)))]
