"""Questions about paragraphs: what a reader is fitted on and judged by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Paragraph:
    """A paragraph of an article; `id` is what an answer cites."""

    id: str
    title: str
    text: str


@dataclass(frozen=True)
class Question:
    """A question about one paragraph of its part, and the spans that answer it.

    `starts` are characters of the paragraph, one for each of `answers`; without answers the
    paragraph does not tell.
    """

    id: str
    text: str
    paragraph: int
    answers: tuple[str, ...] = ()
    starts: tuple[int, ...] = ()

    @property
    def answerable(self) -> bool:
        """Whether the paragraph tells the answer."""
        return bool(self.answers)


@dataclass(frozen=True)
class Questions:
    """N questions and the paragraphs they are about, others of the same articles included."""

    paragraphs: list[Paragraph]
    questions: list[Question]

    def __len__(self) -> int:
        return len(self.questions)

    @property
    def texts(self) -> list[str]:
        """The questions as they are asked."""
        return [each.text for each in self.questions]

    @property
    def contexts(self) -> list[str]:
        """The paragraph of each question."""
        return [self.paragraphs[each.paragraph].text for each in self.questions]

    @property
    def paragraph_ids(self) -> list[str]:
        """The id of the paragraph of each question."""
        return [self.paragraphs[each.paragraph].id for each in self.questions]

    @property
    def answers(self) -> list[tuple[str, ...]]:
        """The right answers of each question, none where its paragraph does not tell."""
        return [each.answers for each in self.questions]

    def some(self, rows: Sequence[int]) -> Questions:
        """Return the questions at these rows, over the same paragraphs."""
        return Questions(self.paragraphs, [self.questions[row] for row in rows])

    @property
    def example(self) -> dict[str, str]:
        """An answerable question, with the context of middle length, to try a service with."""
        answered = [each for each in self.questions if each.answerable]
        answered.sort(key=lambda each: len(self.paragraphs[each.paragraph].text))
        usual = answered[len(answered) // 2]
        return {"question": usual.text, "context": self.paragraphs[usual.paragraph].text}

    def sample(self, most: int, *, seed: int) -> Questions:
        """Draw `most` of the questions, in their order; all of them where there are fewer."""
        if len(self) <= most:
            return self
        rows = np.random.default_rng(seed).permutation(len(self))[:most]
        return self.some(np.sort(rows).tolist())


def question_profile(part: Questions) -> pl.DataFrame:
    """Describe each question by a few numbers, for drift monitoring; no text is kept."""
    import polars as pl

    text = pl.col("question")
    frame = pl.DataFrame({"question": part.texts, "context": part.contexts})
    return frame.select(
        question_characters=text.str.len_chars(),
        question_words=text.str.split(" ").list.len(),
        context_characters=pl.col("context").str.len_chars(),
        non_ascii=text.str.count_matches(r"[^\x00-\x7f]"),
    ).with_columns(answerable=pl.Series([each.answerable for each in part.questions]))


def check_texts(argument: str, texts: Sequence[str], remedy: str) -> None:
    """Raise `ValueError` on a text that is empty or only white space."""
    for row, text in enumerate(texts):
        if not text.strip():
            raise ValueError(f"{argument}[{row}]: it is empty; {remedy}")
