"""What the search is worth: its width, and the cache of keys and values.

Widths are compared on the first test sentences, all by one model; the cache by time alone, since it
changes nothing of the result, which is checked as well.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from common.evaluation.report import Row, Table
from patterns.nlp.translation.entities.pairs import Pairs
from patterns.nlp.translation.stages.bleu import bleu
from patterns.nlp.translation.stages.translator import Translation, Translator

WIDTHS = (1, 2, 4, 8)
SEARCHED, TIMED = 200, 64  # sentences


def widths_table(translator: Translator, test: Pairs, *, length_penalty: float) -> Table:
    """Translate with each width; equal sentences, one model."""
    sources, targets = test.sources[:SEARCHED], test.targets[:SEARCHED]
    rows = []
    for beam in WIDTHS:
        seconds, found = _timed(translator, sources, beam=beam, length_penalty=length_penalty)
        texts = [several[0].text for several in found]
        values = {
            "BLEU": bleu(texts, targets),
            "mean score": float(np.mean([several[0].score for several in found])),
            "length": sum(map(len, texts)) / sum(map(len, targets)),
            "sentence ms": 1000 * seconds / len(sources),
        }
        rows.append(Row("greedy" if beam == 1 else f"beam {beam}", values))
    caption = (
        f"The first {len(sources):,} test sentences, in batches. Score: log-probability by pieces;"
        " length: characters written by characters of the reference."
    )
    columns = ("BLEU", "mean score", "length", "sentence ms")
    return Table("search", columns, tuple(rows), caption)


def cache_table(translator: Translator, test: Pairs, *, beam: int, length_penalty: float) -> Table:
    """Time the same search with and without the cache."""
    sources = test.sources[:TIMED]
    rows: list[Row] = []
    texts: list[list[str]] = []
    for name, cached in (("without cache", False), ("with cache", True)):
        seconds, found = _timed(
            translator, sources, beam=beam, length_penalty=length_penalty, cached=cached, rounds=2
        )
        texts.append([several[0].text for several in found])
        values = {"batch ms": 1000 * seconds, "sentence ms": 1000 * seconds / len(sources)}
        rows.append(Row(name, values))
    same = float(np.mean([a == b for a, b in zip(*texts, strict=True)]))
    caption = (
        f"{len(sources):,} test sentences in one batch, beam {beam}; {same:.1%} of the translations"
        " are the same."
    )
    return Table("cache", ("batch ms", "sentence ms"), tuple(rows), caption)


def _timed(
    translator: Translator,
    sources: Sequence[str],
    *,
    beam: int,
    length_penalty: float,
    cached: bool = True,
    rounds: int = 1,
) -> tuple[float, list[list[Translation]]]:
    """Return the seconds of a search, the quickest of some, and what it found."""
    best = float("inf")
    found: list[list[Translation]] = []
    for _ in range(rounds):
        start = time.perf_counter()
        found = translator.translate(
            sources, beam=beam, length_penalty=length_penalty, cached=cached
        )
        best = min(best, time.perf_counter() - start)
    return best, found
