"""The baseline: the sentence that shares most with the question, and a rule for the words in it.

    share(s | q) = Σ_{w in q and s} idf(w) / Σ_{w in q} idf(w),    idf(w) = ln((1 + N) / (1 + n_w))

N paragraphs of training, n_w of them with the stem w. In the best sentences the rule takes what the
question asks for: a number after "how many" or "when", a name (a run of capitals) after "who", else
the longest run of words that are neither stop words nor the question's. No weights, no training but
counting; any model must first beat it. The idea of word overlap is that of Rajpurkar et al. 2016
(§ 5, the sliding-window baseline); the rule is ours.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from common.atomic import write_json
from common.retrieval.analysis import STOP_WORDS, english, stem, tokens
from patterns.nlp.qa.entities.answers import Reading, Span
from patterns.nlp.qa.entities.questions import Questions
from patterns.nlp.qa.stages.sentences import sentences, word_spans

FILE = "overlap.json"
SENTENCES = 5  # that give a span each
_NUMBER = re.compile(r"[$£€]?\d[\d,.]*\d|\d")
_ASKS_NUMBER = re.compile(r"\b(how (many|much|long|old|far|high|large|tall)|when|year|date)\b")
_ASKS_NAME = re.compile(r"\b(who|whom|whose|which|where)\b")
_EDGES = " \t\n.,;:!?\"'()[]“”‘’"


class OverlapReader:
    """Word overlap and a rule; `fit` counts in how many paragraphs each word stands."""

    kind = "overlap"
    name = "word overlap"

    def __init__(self) -> None:
        self.frequency_: dict[str, int] = {}
        self.count_ = 0

    def fit(self, train: Questions) -> Self:
        """Count the paragraphs with each stem."""
        self.frequency_, self.count_ = {}, len(train.paragraphs)
        for paragraph in train.paragraphs:
            for word in set(english(paragraph.text)):
                self.frequency_[word] = self.frequency_.get(word, 0) + 1
        return self

    def read(self, questions: Sequence[str], contexts: Sequence[str]) -> list[Reading]:
        """Return a span of each of the best sentences; not answering scores 0."""
        pairs = zip(questions, contexts, strict=True)
        return [self._read(question, context) for question, context in pairs]

    def truncates(self, questions: Sequence[str]) -> list[bool]:
        """Tell that every question is read whole."""
        return [False] * len(questions)

    def _read(self, question: str, context: str) -> Reading:
        asked = {word: self._idf(word) for word in english(question)}
        total = sum(asked.values()) or 1.0
        scored = []
        for start, end in sentences(context):
            shared = asked.keys() & set(english(context[start:end]))
            scored.append((sum(asked[word] for word in shared) / total, start, end))
        scored.sort(key=lambda each: (-each[0], each[1]))
        spans = []
        for score, start, end in scored[:SENTENCES]:
            left, right = _span(question, context[start:end])
            if left < right:
                text = context[start + left : start + right]
                spans.append(Span(text, start + left, start + right, score))
        return Reading(tuple(spans))

    def _idf(self, word: str) -> float:
        return math.log((1 + self.count_) / (1 + self.frequency_.get(word, 0))) + 1e-3

    def save(self, folder: Path) -> None:
        """Write the counts."""
        write_json(folder / FILE, {"count": self.count_, "frequency": self.frequency_})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        facts = json.loads((folder / FILE).read_text(encoding="utf-8"))
        stage = cls()
        stage.count_, stage.frequency_ = facts["count"], facts["frequency"]
        return stage


def _span(question: str, sentence: str) -> tuple[int, int]:
    """Return the characters of the sentence that the rule takes; none of it where all is asked."""
    asked, lower = {stem(word) for word in tokens(question)}, question.lower()
    if _ASKS_NUMBER.search(lower):
        numbers = [f.span() for f in _NUMBER.finditer(sentence) if f.group() not in question]
        if numbers:
            return numbers[0]
    spans = word_spans(sentence)
    new = [
        bool(words := tokens(sentence[start:end]))
        and not any(stem(word) in asked or word in STOP_WORDS for word in words)
        for start, end in spans
    ]
    if _ASKS_NAME.search(lower):
        capital = [
            fresh and sentence[start:end].strip(_EDGES)[:1].isupper()
            for fresh, (start, end) in zip(new, spans, strict=True)
        ]
        if any(capital):
            return _trimmed(sentence, _longest(spans, capital))
    return _trimmed(sentence, _longest(spans, new))


def _longest(spans: Sequence[tuple[int, int]], kept: Sequence[bool]) -> tuple[int, int]:
    """Return the characters of the longest run of kept words, the first of equals."""
    best = (0, 0)
    first = None
    for place, keep in enumerate([*kept, False]):
        if keep and first is None:
            first = place
        if not keep and first is not None:
            run = (spans[first][0], spans[place - 1][1])
            best = run if run[1] - run[0] > best[1] - best[0] else best
            first = None
    return best


def _trimmed(text: str, span: tuple[int, int]) -> tuple[int, int]:
    """Leave out punctuation at both ends."""
    start, end = span
    inner = text[start:end]
    start += len(inner) - len(inner.lstrip(_EDGES))
    return start, max(start, start + len(inner.strip(_EDGES)))
