"""From the scores of each word to the best sequence of tags that the scheme allows.

A tagger scores every word on its own; the likeliest tag of each may give B-person I-location, which
is no entity. With transitions A, start a and end b,

    score(y) = a[y_1] + Σ_t s_t[y_t] + Σ_t A[y_t, y_t+1] + b[y_n]

Viterbi (1967) finds the best y in O(n C²). A is 0 where a tag may follow another and `FORBIDDEN`
where not; a CRF learns the rest of it (Lafferty et al. 2001). The forward-backward algorithm gives
the sum over all sequences, and so the probability of any part of one: the confidence of an entity
is the probability that exactly its words are one of its type.

Two numbers are fitted on validation. `penalty` is taken from the score of O: a model trained on
sentences with few names expects as few in others. `temperature` divides all scores, so that an
entity given .8 is right in 80 % of the cases.

Shapes: B sentences, n words of one, L words of the longest, C tags.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from common.atomic import write_json
from common.evaluation.spans import Span, counts, spans
from patterns.nlp.ner.entities.tags import TagSet

FORBIDDEN = -1e4
CELLS = 200_000  # padded words times tags of a batch
PENALTIES = np.round(np.arange(0.0, 3.01, 0.25), 2)  # of O, that validation chooses from
LOWEST, HIGHEST = 0.2, 10.0  # of the temperature
FILE = "decoder.json"


@dataclass(frozen=True)
class Transitions:
    """Scores of the first tag (C,), of pairs of tags (C, C) [from, to], of the last tag (C,)."""

    start: np.ndarray
    between: np.ndarray
    end: np.ndarray

    @classmethod
    def of_rules(cls, tags: TagSet) -> Self:
        """Return 0 where the scheme allows it, else `FORBIDDEN`."""
        start = np.where(tags.allowed_first, 0.0, FORBIDDEN)
        between = np.where(tags.allowed, 0.0, FORBIDDEN)
        return cls(start, between, np.zeros(len(tags)))

    def scaled(self, factor: float) -> Transitions:
        """Return them times a factor; what is forbidden stays so."""
        return Transitions(
            *(_scaled(each, factor) for each in (self.start, self.between, self.end))
        )


class Decoder:
    """Best sequences under transitions, and how probable an entity is."""

    def __init__(self, *, tags: TagSet, transitions: Transitions | None = None) -> None:
        """Without `transitions`, those of the scheme's rules."""
        self.tags = tags
        self.transitions = transitions or Transitions.of_rules(tags)
        self.penalty_, self.temperature_ = 0.0, 1.0

    def fit(self, scores: Sequence[np.ndarray], tags: Sequence[Sequence[str]]) -> Self:
        """Choose the penalty with the best F1 on validation sentences, then the temperature.

        `scores` are (n, C) each. Of equal penalties the lowest is kept.
        """
        true = [spans(each) for each in tags]
        best = -1.0
        for penalty in PENALTIES.tolist():
            found = counts(true, [spans(each) for each in self.decode(scores, penalty=penalty)])
            if found.f1 > best:
                best, self.penalty_ = found.f1, penalty
        self.temperature_ = self._temperature(scores, tags)
        return self

    def decode(
        self, scores: Sequence[np.ndarray], *, penalty: float | None = None
    ) -> list[list[str]]:
        """Return the best sequence of tag names for the scores (n, C) of each sentence."""
        decoded: list[list[str]] = [[] for _ in scores]
        for rows, padded, lengths in self._batches(scores, penalty):
            paths = viterbi(padded, lengths, self.transitions)
            for row, path, length in zip(rows, paths, lengths, strict=True):
                decoded[row] = self.tags.words(path[:length])
        return decoded

    def confidences(self, scores: np.ndarray, found: Sequence[Span]) -> list[float]:
        """Return the probability of each span of one sentence with scores (n, C)."""
        if not found:
            return []
        scaled = self._penalised(scores, None) / self.temperature_
        transitions = self.transitions.scaled(1 / self.temperature_)
        lengths = np.array([len(scaled)])
        forward = forward_scores(scaled[None], lengths, transitions)[0]  # (n, C)
        backward = backward_scores(scaled[None], lengths, transitions)[0]
        whole = _log_sum(forward[-1] + transitions.end, axis=0)
        chart = _Chart(scaled, forward, backward, transitions, self.tags)
        logs = np.array([chart.of(span) for span in found]) - whole
        return np.exp(np.minimum(logs, 0.0)).tolist()

    def log_likelihood(
        self, scores: Sequence[np.ndarray], tags: Sequence[Sequence[str]], temperature: float = 1.0
    ) -> np.ndarray:
        """Return the log probability of the given tags of each sentence, (N,)."""
        transitions = self.transitions.scaled(1 / temperature)
        found = np.zeros(len(scores))
        for rows, padded, lengths in self._batches(scores, None):
            padded = padded / temperature
            forward = forward_scores(padded, lengths, transitions)
            last = forward[np.arange(len(rows)), lengths - 1] + transitions.end
            whole = _log_sum(last, axis=1)
            for place, row in enumerate(rows):
                path = self.tags.numbers(tags[row])
                found[row] = path_score(padded[place], path, transitions) - whole[place]
        return found

    def save(self, folder: Path) -> None:
        """Write types, transitions and what was fitted."""
        parts = (self.transitions.start, self.transitions.between, self.transitions.end)
        content = {
            "types": list(self.tags.types),
            "transitions": [part.tolist() for part in parts],
            "penalty": self.penalty_,
            "temperature": self.temperature_,
        }
        write_json(folder / FILE, content)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        content = json.loads((folder / FILE).read_text(encoding="utf-8"))
        parts = [np.array(part, dtype=np.float64) for part in content["transitions"]]
        decoder = cls(tags=TagSet(tuple(content["types"])), transitions=Transitions(*parts))
        decoder.penalty_, decoder.temperature_ = content["penalty"], content["temperature"]
        return decoder

    def _temperature(self, scores: Sequence[np.ndarray], tags: Sequence[Sequence[str]]) -> float:
        """Find the temperature under which the true sequences are likeliest."""
        from scipy.optimize import minimize_scalar

        def loss(log_temperature: float) -> float:
            likelihoods = self.log_likelihood(scores, tags, float(np.exp(log_temperature)))
            return -float(np.maximum(likelihoods, FORBIDDEN / 10).mean())

        bounds = (float(np.log(LOWEST)), float(np.log(HIGHEST)))
        found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-2})
        return float(np.exp(found.x))

    def _penalised(self, scores: np.ndarray, penalty: float | None) -> np.ndarray:
        taken = np.zeros(len(self.tags))
        taken[0] = self.penalty_ if penalty is None else penalty
        return np.asarray(scores, dtype=np.float64) - taken

    def _batches(
        self, scores: Sequence[np.ndarray], penalty: float | None
    ) -> Iterator[tuple[list[int], np.ndarray, np.ndarray]]:
        """Yield rows, padded scores (B, L, C) and lengths (B,); empty sentences are left out."""
        order = sorted((row for row in range(len(scores)) if len(scores[row])),
                       key=lambda row: len(scores[row]))  # fmt: skip
        while order:
            longest = len(scores[order[-1]])
            rows = order[-max(1, CELLS // (longest * len(self.tags))) :]
            order = order[: -len(rows)]
            lengths = np.array([len(scores[row]) for row in rows])
            padded = np.zeros((len(rows), longest, len(self.tags)))
            for place, row in enumerate(rows):
                padded[place, : lengths[place]] = self._penalised(scores[row], penalty)
            yield rows, padded, lengths


@dataclass(frozen=True)
class _Chart:
    """Scores (n, C), sums over all ways up to each word and from it, (n, C) each."""

    scores: np.ndarray
    forward: np.ndarray
    backward: np.ndarray
    transitions: Transitions
    tags: TagSet

    def of(self, span: Span) -> float:
        """Return the log of the sum over all sequences that hold exactly this span."""
        first, after, kind = span
        begin, inside = self.tags.numbers([f"B-{kind}", f"I-{kind}"])
        between = self.transitions.between
        total = float(self.forward[first, begin])
        before = begin
        for place in range(first + 1, after):
            total += between[before, inside] + self.scores[place, inside]
            before = inside
        if after == len(self.scores):
            return total + float(self.transitions.end[before])
        on = between[before] + self.scores[after] + self.backward[after]  # (C,)
        return total + float(_log_sum(np.delete(on, inside), axis=0))


def viterbi(scores: np.ndarray, lengths: np.ndarray, transitions: Transitions) -> np.ndarray:
    """Return the best tags (B, L) of scores (B, L, C); beyond a sentence's length they are 0.

    Of equal sequences the one with the lower tags, compared from the last word, wins.
    """
    batch, longest, _ = scores.shape
    best = transitions.start + scores[:, 0]  # (B, C)
    came_from = np.zeros(scores.shape, dtype=np.int64)
    for place in range(1, longest):
        ways = best[:, :, None] + transitions.between  # (B, C, C)
        came_from[:, place] = ways.argmax(axis=1)
        on = ways.max(axis=1) + scores[:, place]
        best = np.where((place < lengths)[:, None], on, best)
    current = (best + transitions.end).argmax(axis=1)  # (B,)
    paths = np.zeros((batch, longest), dtype=np.int64)
    for place in range(longest - 1, -1, -1):
        inside = place < lengths
        paths[:, place] = np.where(inside, current, 0)
        current = np.where(inside, came_from[np.arange(batch), place, current], current)
    return paths


def forward_scores(scores: np.ndarray, lengths: np.ndarray, transitions: Transitions) -> np.ndarray:
    """Return the log sums (B, L, C) over all ways that end in a tag at a word, its score included.

    Beyond a sentence's length the last sum is repeated.
    """
    sums = np.empty(scores.shape)
    sums[:, 0] = transitions.start + scores[:, 0]
    for place in range(1, scores.shape[1]):
        ways = sums[:, place - 1, :, None] + transitions.between  # (B, C, C)
        on = _log_sum(ways, axis=1) + scores[:, place]
        sums[:, place] = np.where((place < lengths)[:, None], on, sums[:, place - 1])
    return sums


def backward_scores(
    scores: np.ndarray, lengths: np.ndarray, transitions: Transitions
) -> np.ndarray:
    """Return the log sums (B, L, C) over all ways on from a tag at a word, its score left out."""
    sums = np.empty(scores.shape)
    sums[:] = transitions.end
    for place in range(scores.shape[1] - 2, -1, -1):
        on = transitions.between + (scores[:, place + 1] + sums[:, place + 1])[:, None, :]
        inside = (place + 1 < lengths)[:, None]
        sums[:, place] = np.where(inside, _log_sum(on, axis=2), transitions.end)
    return sums


def path_score(scores: np.ndarray, path: np.ndarray, transitions: Transitions) -> float:
    """Return the score of one sequence of tags (n,) under scores (L, C), L at least n."""
    steps = scores[np.arange(len(path)), path].sum()
    pairs = transitions.between[path[:-1], path[1:]].sum()
    return float(transitions.start[path[0]] + steps + pairs + transitions.end[path[-1]])


def _log_sum(values: np.ndarray, axis: int) -> np.ndarray:
    """Return log Σ exp along an axis, without overflow."""
    highest = values.max(axis=axis, keepdims=True)
    total = np.log(np.exp(values - highest).sum(axis=axis, keepdims=True)) + highest
    return np.squeeze(total, axis=axis)


def _scaled(values: np.ndarray, factor: float) -> np.ndarray:
    return np.where(values <= FORBIDDEN / 2, FORBIDDEN, values * factor)
