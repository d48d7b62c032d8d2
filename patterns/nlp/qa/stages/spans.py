"""From logits back to characters: the best spans of a context, over all of its windows.

    score(i, j) = s_i + e_j  for tokens i ≤ j < i + max_answer of the context
    null        = s_0 + e_0  at the first token, which stands for "it is not here"

Only spans that can be are scored: inside the context, not ending before they begin, not too long.
A context of several windows has the best spans of any, each span once; it holds no answer only if
all of its windows say so, hence the least null of them (Devlin et al. 2019, § 4.3).

Shapes: B windows of a batch, L tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from common.encoders import length_batches
from patterns.nlp.qa.entities.answers import Reading, Span
from patterns.nlp.qa.stages.windows import PairTokens, Window

TRIED = 20  # starts, and ends, that are combined
Run = Callable[[np.ndarray, np.ndarray], np.ndarray]  # ids, mask (B, L) -> logits (B, L, 2)


def window_logits(
    run: Run, windows: Sequence[Window], *, pad: int, batch_size: int = 32
) -> list[np.ndarray]:
    """Return the logits of starts and ends (L, 2) of each window."""
    found: list[np.ndarray] = [np.zeros((0, 2), np.float32)] * len(windows)
    sequences = [window.ids for window in windows]
    for rows, ids, mask in length_batches(sequences, batch_size=batch_size, pad=pad):
        logits = run(ids, mask)
        for row, own in zip(rows, logits, strict=True):
            found[row] = own[: len(sequences[row])]
    return found


def read(
    run: Run,
    tokens: PairTokens,
    questions: Sequence[str],
    contexts: Sequence[str],
    *,
    max_answer: int,
    k: int,
) -> list[Reading]:
    """Return the `k` best spans of each context by the logits that `run` gives."""
    windows = tokens(questions, contexts)
    logits = window_logits(run, windows, pad=tokens.pad)
    of_row: list[list[int]] = [[] for _ in questions]
    for place, window in enumerate(windows):
        of_row[window.row].append(place)
    return [
        reading(
            context, [windows[p] for p in places], [logits[p] for p in places],
            max_answer=max_answer, k=k,
        )
        for context, places in zip(contexts, of_row, strict=True)
    ]  # fmt: skip


def reading(
    context: str,
    windows: Sequence[Window],
    logits: Sequence[np.ndarray],
    *,
    max_answer: int,
    k: int,
) -> Reading:
    """Combine the windows of one context."""
    best: dict[tuple[int, int], float] = {}
    for window, scores in zip(windows, logits, strict=True):
        for start, end, score in _candidates(window, scores, max_answer=max_answer, k=k):
            start, end = _trimmed(context, start, end)
            if start < end:
                best[start, end] = max(score, best.get((start, end), -np.inf))
    ordered = sorted(best.items(), key=lambda item: (-item[1], item[0]))[:k]
    spans = tuple(Span(context[start:end], start, end, score) for (start, end), score in ordered)
    null = min((float(scores[0].sum()) for scores in logits), default=0.0)
    return Reading(spans, null)


def _candidates(
    window: Window, logits: np.ndarray, *, max_answer: int, k: int
) -> list[tuple[int, int, float]]:
    """Return (first character, last, score) of the `k` best spans of one window."""
    inside = window.inside
    if not len(inside):
        return []
    starts = inside[np.argsort(-logits[inside, 0], kind="stable")[:TRIED]]
    ends = inside[np.argsort(-logits[inside, 1], kind="stable")[:TRIED]]
    scores = logits[starts, 0][:, None] + logits[ends, 1][None, :]  # (20, 20)
    length = ends[None, :] - starts[:, None]
    scores = np.where((length >= 0) & (length < max_answer), scores, -np.inf)
    order = np.argsort(-scores, axis=None, kind="stable")[:k]
    rows, columns = np.unravel_index(order, scores.shape)
    return [
        (int(window.starts[starts[r]]), int(window.ends[ends[c]]), float(scores[r, c]))
        for r, c in zip(rows, columns, strict=True)
        if np.isfinite(scores[r, c])
    ]


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """Leave out spaces at both ends, which byte-level tokens bring along."""
    inner = text[start:end]
    start += len(inner) - len(inner.lstrip())
    return start, start + len(inner.strip())
