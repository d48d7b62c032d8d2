"""Sentences cut into words, each word with a tag: what a tagger is fitted on and judged by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from common.evaluation.spans import Span, spans

if TYPE_CHECKING:
    import polars as pl

Words = Sequence[str]


@dataclass(frozen=True)
class Sentences:
    """N sentences: their words, and the tag of each word by name (BIO2)."""

    words: list[tuple[str, ...]]
    tags: list[tuple[str, ...]]

    def __len__(self) -> int:
        return len(self.words)

    @property
    def spans(self) -> list[list[Span]]:
        """The entities of each sentence, by word."""
        return [spans(tags) for tags in self.tags]


@dataclass(frozen=True)
class Entity:
    """An entity in a text, whose characters `start` to `end` (exclusive) are `text`."""

    start: int
    end: int
    label: str
    text: str
    confidence: float
    """Probability that exactly these words are an entity of this type."""


def surface(words: Words) -> str:
    """Return how an entity is written, without case: what makes two mentions the same name."""
    return " ".join(words).casefold()


def mentions(sentences: Sentences) -> Iterable[tuple[str, str]]:
    """Yield (surface, type) of every entity."""
    for words, found in zip(sentences.words, sentences.spans, strict=True):
        for start, end, kind in found:
            yield surface(words[start:end]), kind


def sentence_profile(sentences: Sentences) -> pl.DataFrame:
    """Describe each sentence by a few numbers, for drift monitoring; no word is kept."""
    import polars as pl

    return pl.DataFrame(
        {
            "words": [len(words) for words in sentences.words],
            "entities": [len(found) for found in sentences.spans],
            "capitalised": [_share(words, str.istitle) for words in sentences.words],
            "digits": [_share(words, _has_digit) for words in sentences.words],
            "non_ascii": [_share(words, _not_ascii) for words in sentences.words],
        }
    )


def _share(words: Words, holds: Callable[[str], bool]) -> float:
    return sum(map(holds, words)) / max(len(words), 1)


def _has_digit(word: str) -> bool:
    return any(character.isdigit() for character in word)


def _not_ascii(word: str) -> bool:
    return not word.isascii()
