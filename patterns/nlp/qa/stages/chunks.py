"""Chunks: paragraphs cut into passages of a length that can be searched, read and cited.

A paragraph of up to `words` words is one passage. A longer one becomes windows of so many, each
sharing `overlap` words with the one before, so that a sentence at a cut stands whole in one of
them; the last window ends with the paragraph. Passages know their characters, so an answer in one
is cited by its place in the paragraph.
"""

from __future__ import annotations

from collections.abc import Sequence

from patterns.nlp.qa.entities.passages import Passage
from patterns.nlp.qa.entities.questions import Paragraph
from patterns.nlp.qa.stages.sentences import word_spans


class Chunker:
    """Cuts paragraphs into passages of at most `words` words, `overlap` of them shared."""

    def __init__(self, *, words: int = 160, overlap: int = 40) -> None:
        if not 0 <= overlap < words:
            raise ValueError(f"overlap: {overlap} is out of range; give 0 to {words - 1}")
        self.words, self.overlap = words, overlap

    def cut(self, paragraphs: Sequence[Paragraph]) -> list[Passage]:
        """Return the passages of all paragraphs in order; one without a word has none."""
        return [passage for each in paragraphs for passage in self._passages(each)]

    def _passages(self, paragraph: Paragraph) -> list[Passage]:
        spans = word_spans(paragraph.text)
        if len(spans) <= self.words:
            whole = Passage(paragraph.id, paragraph.title, paragraph.text)
            return [whole] if spans else []
        passages = []
        for first in range(0, len(spans) - self.overlap, self.words - self.overlap):
            start, end = spans[first][0], spans[min(first + self.words, len(spans)) - 1][1]
            passages.append(
                Passage(paragraph.id, paragraph.title, paragraph.text[start:end], start)
            )
        return passages
