"""How good translations are: BLEU of several ways to translate, by length, on further test parts.

Every figure is computed from the counts of `stages.bleu`; intervals and the paired gain resample
sentences, and all systems are resampled by the same draws.

Shapes: N test sentences; counts (N, 10).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from common.evaluation.latency import Latency, measure
from common.evaluation.report import Estimate, Row, Table, Value
from patterns.nlp.translation.data import Splits
from patterns.nlp.translation.entities.pairs import Pairs
from patterns.nlp.translation.pipeline import Pipeline
from patterns.nlp.translation.stages.bleu import chrf, counts, resampled, score, signature

HEADLINE = ("BLEU", "BLEU lower-cased", "chrF", "p50 ms", "p99 ms")
BUDGET_MS = 1000.0
TIMED, WARM_UP = 60, 5  # sentences
LENGTHS = 4  # groups


@dataclass(frozen=True)
class System:
    """One way to translate, and what it said of the test sentences."""

    name: str
    by: str
    beam: int
    texts: list[str]
    counts: np.ndarray
    """(N, 10), cased."""


def systems(pipeline: Pipeline, test: Pairs) -> list[System]:
    """Translate the test sentences in each way, the baseline first, as it is served last."""
    assert pipeline.baseline is not None and pipeline.translator is not None
    learned = pipeline.translator.name
    ways = [(pipeline.baseline.name, pipeline.baseline.name, 1), (f"{learned}, greedy", learned, 1)]
    if pipeline.beam > 1:
        ways.append((f"{learned}, beam {pipeline.beam}", learned, pipeline.beam))
    found = []
    for name, by, beam in ways:
        texts = [each.text for each in pipeline.best(test.sources, by=by, beam=beam)]
        found.append(System(name, by, beam, texts, counts(texts, test.targets)))
    return found


def served(pipeline: Pipeline, found: Sequence[System]) -> System:
    """Return the system that serves."""
    return found[-1] if pipeline.served_ == found[-1].by else found[0]


def headline_table(pipeline: Pipeline, splits: Splits, found: Sequence[System]) -> Table:
    """Compare all systems, the baseline first."""
    rows = []
    for system in found:
        lower = counts(system.texts, splits.test.targets, lowercase=True)
        time = _time(pipeline, splits, system)
        values: dict[str, Value] = {
            "BLEU": estimate(system.counts, seed=pipeline.seed),
            "BLEU lower-cased": float(score(lower.sum(axis=0))),
            "chrF": chrf(system.texts, splits.test.targets),
            "p50 ms": time.p50_ms,
            "p99 ms": time.p99_ms,
        }
        rows.append(Row(system.name, values, baseline=not rows))
    caption = (
        f"{len(splits.test):,} test sentences, {' to '.join(splits.languages)}; sacreBLEU"
        f" {signature()}, cased on raw text; 95 % bootstrap intervals over sentences. Lower-cased"
        " BLEU is near to what papers on tokenised texts report. Milliseconds of one sentence"
        " alone."
    )
    return Table("translation", HEADLINE, tuple(rows), caption)


def latency(pipeline: Pipeline, splits: Splits) -> list[Latency]:
    """Time one text after the other, from the string to its answer."""
    return [
        measure(
            "translate",
            lambda text: pipeline.translate([text]),
            splits.test.sources[:TIMED],
            budget_ms=BUDGET_MS,
            warm_up=WARM_UP,
        )
    ]


def estimate(found: np.ndarray, *, seed: int) -> Estimate:
    """Return BLEU of counts (N, 10) with its interval."""
    low, high = np.quantile(resampled(found, seed=seed), [0.025, 0.975])
    return Estimate(float(score(found.sum(axis=0))), float(low), float(high))


def gain(ours: np.ndarray, theirs: np.ndarray, *, seed: int) -> Estimate:
    """Return the difference in BLEU of two systems on the same sentences, counts (N, 10) each."""
    change = resampled(ours, seed=seed) - resampled(theirs, seed=seed)
    low, high = np.quantile(change, [0.025, 0.975])
    value = float(score(ours.sum(axis=0)) - score(theirs.sum(axis=0)))
    return Estimate(value, float(low), float(high))


def against_baseline(found: Sequence[System], *, seed: int) -> Table:
    """Compare the learned systems with the baseline, and beam search with greedy search."""
    base, greedy, best = found[0], found[1], found[-1]
    compared = [("learned, greedy, against word by word", greedy, base)]
    if best is not greedy:
        compared.append((f"beam {best.beam} against greedy", best, greedy))
    rows = []
    for name, ours, theirs in compared:
        mine, other = (_each(system.counts) for system in (ours, theirs))
        values: dict[str, Value] = {
            "BLEU gained": gain(ours.counts, theirs.counts, seed=seed),
            "sentences better": float((mine > other).mean()),
            "sentences worse": float((mine < other).mean()),
        }
        rows.append(Row(name, values))
    caption = (
        "Paired over the test sentences. A sentence is better if more of its 1- to 4-grams match."
    )
    return Table(
        "gain", ("BLEU gained", "sentences better", "sentences worse"), tuple(rows), caption
    )


def by_length(test: Pairs, found: Sequence[System]) -> Table:
    """Give BLEU by quarters of the length of the source."""
    words = np.array([len(text.split()) for text in test.sources])
    edges = np.unique(np.quantile(words, np.linspace(0, 1, LENGTHS + 1), method="nearest"))
    names = {found[0].name: found[0], found[-1].name: found[-1]}
    rows = []
    for place, (low, high) in enumerate(zip(edges[:-1], edges[1:], strict=True)):
        first = low if place == 0 else low + 1
        mine = (words >= first) & (words <= high)
        if mine.any():
            values = {
                name: float(score(system.counts[mine].sum(axis=0)))
                for name, system in names.items()
            }
            rows.append(Row(f"{first} to {high} words", values | {"sentences": float(mine.sum())}))
    caption = "BLEU of the sentences of each length alone: it can be compared along a row only."
    return Table("by length", (*names, "sentences"), tuple(rows), caption)


def further_parts(pipeline: Pipeline, further: Mapping[str, Pairs]) -> Table:
    """Give BLEU on the dataset's further test parts."""
    assert pipeline.baseline is not None and pipeline.translator is not None
    rows = []
    names = (pipeline.baseline.name, pipeline.translator.name)
    for part, pairs in further.items():
        values: dict[str, Value] = {}
        for name in names:
            texts = [each.text for each in pipeline.best(pairs.sources, by=name)]
            values[name] = estimate(counts(texts, pairs.targets), seed=pipeline.seed)
        rows.append(Row(part, values | {"sentences": float(len(pairs))}))
    caption = "BLEU on test parts that are not the headline's."
    return Table("further test parts", (*names, "sentences"), tuple(rows), caption)


def _each(found: np.ndarray) -> np.ndarray:
    """Return the share of n-grams that match (N,), the four lengths alike."""
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.nan_to_num(found[:, :4] / found[:, 4:8])
    return share.mean(axis=1)


def _time(pipeline: Pipeline, splits: Splits, system: System) -> Latency:
    return measure(
        system.name,
        lambda text: pipeline.best([text], by=system.by, beam=system.beam),
        splits.test.sources[:TIMED],
        budget_ms=BUDGET_MS,
        warm_up=WARM_UP,
    )
