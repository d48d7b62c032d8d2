"""Entities as spans of tags, and how many of them a tagger finds whole.

A span counts only if its first word, its last word and its type are right: of "New York" said to be
"York" neither half is earned. Over all sentences together, with h hits, p said and t true spans,

    precision = h / p,   recall = h / t,   F1 = 2 h / (p + t)

which is the F1 of the shared task CoNLL-2003 (Tjong Kim Sang & De Meulder 2003) and of `conlleval`.
A sequence that the scheme does not allow is read as `conlleval` reads it: an I-x that continues no
x begins one. With `strict`, as in seqeval's strict mode, such an I-x belongs to no span.

The independent unit is the sentence, so counts are kept by sentence and resampled by it.

Shapes: N sentences.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from common.evaluation.bootstrap import interval_of
from common.evaluation.report import Estimate

Span = tuple[int, int, str]
"""First word, the word after the last, type."""


def spans(tags: Sequence[str], *, strict: bool = False) -> list[Span]:
    """Return the spans of one sentence's tags (O, B-x, I-x) in their order."""
    found: list[Span] = []
    start, open_kind = 0, ""  # of the span that is not closed yet
    for place, tag in enumerate([*tags, "O"]):
        prefix, _, kind = tag.partition("-")
        if prefix == "I" and kind == open_kind:
            continue
        if open_kind:
            found.append((start, place, open_kind))
        begins = prefix == "B" or (prefix == "I" and not strict)
        start, open_kind = (place, kind) if begins else (place, "")
    return found


def is_valid(tags: Sequence[str]) -> bool:
    """Tell whether each I-x continues a B-x or I-x."""
    before = "O"
    for tag in tags:
        if tag.startswith("I-") and before[2:] != tag[2:]:
            return False
        before = tag
    return True


@dataclass(frozen=True)
class Counts:
    """Spans by sentence, (N,) each: found whole, said, true."""

    hits: np.ndarray
    said: np.ndarray
    true: np.ndarray

    @property
    def precision(self) -> float:
        """Share of what was said that is right; 0 where nothing was said."""
        return _ratio(self.hits.sum(), self.said.sum())

    @property
    def recall(self) -> float:
        """Share of what is true that was found; 0 where nothing is true."""
        return _ratio(self.hits.sum(), self.true.sum())

    @property
    def f1(self) -> float:
        """Harmonic mean of the two; 0 where nothing is said and nothing is true."""
        return f1(self.hits, self.said, self.true)

    def estimates(self, *, samples: int = 1000, seed: int = 0) -> dict[str, Estimate]:
        """Return precision, recall and F1 with intervals over sentences."""
        hits, said, true = self.hits, self.said, self.true
        shares = {
            "precision": (lambda h, s, t: _ratio(h.sum(), s.sum()), self.precision),
            "recall": (lambda h, s, t: _ratio(h.sum(), t.sum()), self.recall),
            "F1": (f1, self.f1),
        }
        return {
            name: Estimate(value, *interval_of(each, hits, said, true, samples=samples, seed=seed))
            for name, (each, value) in shares.items()
        }


def counts(true: Sequence[Iterable[Span]], said: Sequence[Iterable[Span]]) -> Counts:
    """Count the spans of each sentence; a span that is said twice counts once."""
    pairs = [(set(ours), set(theirs)) for theirs, ours in zip(true, said, strict=True)]
    numbers = [(len(ours & theirs), len(ours), len(theirs)) for ours, theirs in pairs]
    table = np.array(numbers, dtype=np.int64).reshape(-1, 3)
    return Counts(table[:, 0], table[:, 1], table[:, 2])


def counts_of_tags(
    true: Sequence[Sequence[str]], said: Sequence[Sequence[str]], *, strict: bool = False
) -> Counts:
    """Count the spans of tags, sentence by sentence."""
    return counts(
        [spans(tags, strict=strict) for tags in true],
        [spans(tags, strict=strict) for tags in said],
    )


def of_type(found: Sequence[Sequence[Span]], kind: str) -> list[list[Span]]:
    """Return the spans of one type, sentence by sentence."""
    return [[span for span in sentence if span[2] == kind] for sentence in found]


def f1(hits: np.ndarray, said: np.ndarray, true: np.ndarray) -> float:
    """Return the F1 of counts (N,) taken together."""
    return _ratio(2 * hits.sum(), said.sum() + true.sum())


def f1_gain(base: Counts, model: Counts, *, samples: int = 1000, seed: int = 0) -> Estimate:
    """Return how far the model's F1 lies above the baseline's, paired by sentence."""

    def gain(true: np.ndarray, *of_both: np.ndarray) -> float:
        hits, said, base_hits, base_said = of_both
        return f1(hits, said, true) - f1(base_hits, base_said, true)

    arrays = (model.true, model.hits, model.said, base.hits, base.said)
    low, high = interval_of(gain, *arrays, samples=samples, seed=seed)
    return Estimate(gain(*arrays), low, high)


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else 0.0
