"""Protocols beyond one split: wikigold cross-validated, and both domains crossed.

WikiGold has no split of its own, so one drawn part says little: five folds by article use every
sentence as a test once. Posts and encyclopaedia write names differently, so a model of one is
tested on the other as well, over the types that both have:

    wnut17     person -> PER, location -> LOC, corporation and group -> ORG; the others -> O
    wikigold   PER, LOC, ORG as they are; MISC -> O

Shapes: N sentences.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from common.evaluation.report import Estimate, Row, Table, Value
from common.evaluation.spans import Counts, counts_of_tags
from patterns.nlp.ner.config import Config
from patterns.nlp.ner.data import Splits, folds, load, shared_types, split
from patterns.nlp.ner.entities.sentences import Sentences, Words
from patterns.nlp.ner.pipeline import Pipeline
from patterns.nlp.ner.stages.servable import Servable

if TYPE_CHECKING:
    from data.tables import TaggedTokens

LINEAR = "linear"
COLUMNS = ("precision", "recall", "F1", "sentences", "entities")
Tagger = Callable[[list[Words]], list[list[str]]]


@dataclass(frozen=True)
class WikigoldFolds:
    """Five folds by article; the sums over all folds, and each fold's F1."""

    name: ClassVar[str] = "wikigold-folds"
    dataset: ClassVar[str] = "wikigold"
    count: int = 5

    def run(self, table: TaggedTokens, config: Config) -> list[Table]:
        """Train and test once a fold."""
        found: dict[str, list[Counts]] = {}
        for splits in folds(table, config, self.count):
            for name, tag in _taggers(splits, config).items():
                found.setdefault(name, []).append(_counted(splits.test, tag))
        rows: list[Row] = []
        for name, of_folds in found.items():
            whole = Counts(
                *(np.concatenate([getattr(each, part) for each in of_folds])
                  for part in ("hits", "said", "true"))
            )  # fmt: skip
            values = _values(whole, seed=config.seed)
            values |= {f"fold {n}": each.f1 for n, each in enumerate(of_folds, start=1)}
            rows.append(Row(name, values, baseline=not rows))
        columns = (*COLUMNS, *(f"fold {n}" for n in range(1, self.count + 1)))
        caption = f"{self.count} folds by article; intervals over all sentences."
        return [Table("wikigold, cross-validated", columns, tuple(rows), caption)]


@dataclass(frozen=True)
class Crossed:
    """Train on each public set, test on both."""

    name: ClassVar[str] = "crossed"
    dataset: ClassVar[str] = "wnut17"
    other: ClassVar[str] = "wikigold"

    def run(self, table: TaggedTokens, config: Config) -> list[Table]:
        """Return one table: a row for each model, training set and test set."""
        second = load(replace(config, dataset=self.other, protocol="none"))
        parts = {each.source.name: split(shared_types(each), config) for each in (table, second)}
        rows = []
        for source, splits in parts.items():
            for name, tag in _taggers(splits, config).items():
                for target, other in parts.items():
                    values = _values(_counted(other.test, tag), seed=config.seed)
                    rows.append(Row(f"{name}, {source} -> {target}", values))
        caption = "Trained on the first set, tested on the second, over PER, LOC and ORG."
        return [Table("domains crossed", COLUMNS, tuple(rows), caption)]


PROTOCOLS: dict[str, WikigoldFolds | Crossed] = {
    each.name: each for each in (WikigoldFolds(), Crossed())
}


def run(name: str, table: TaggedTokens, config: Config) -> list[Table]:
    """Run a protocol of `PROTOCOLS` on the dataset that it is defined on."""
    if name not in PROTOCOLS:
        raise ValueError(f"protocol: {name!r} is not known; give one of {', '.join(PROTOCOLS)}")
    protocol = PROTOCOLS[name]
    if table.source.name != protocol.dataset:
        raise ValueError(
            f"dataset: protocol {name!r} is defined on {protocol.dataset}, not on"
            f" {table.source.name}; leave --dataset out"
        )
    return protocol.run(table, config)


def with_dataset(config: Config) -> Config:
    """Return the configuration with the dataset of its protocol, where none is named."""
    if config.protocol == "none" or config.dataset != "auto":
        return config
    return replace(config, dataset=PROTOCOLS[config.protocol].dataset)


def _taggers(splits: Splits, config: Config) -> dict[str, Tagger]:
    """Fit the models of one split: the linear one, and the encoder unless it is left out."""
    pipeline = Pipeline.from_config(config, splits).fit_baseline(splits).fit_encoder(splits)
    found: dict[str, Tagger] = {}
    for stage in (pipeline.linear, pipeline.encoder):
        if stage is not None:
            found[stage.name] = partial(_tagged, stage)
    return found


def _tagged(stage: Servable, words: list[Words]) -> list[list[str]]:
    return stage.decoder_.decode(stage.predict(words))


def _counted(test: Sentences, tag: Tagger) -> Counts:
    return counts_of_tags(test.tags, tag([*test.words]))


def _values(found: Counts, *, seed: int) -> dict[str, Value]:
    estimates: dict[str, Estimate] = found.estimates(seed=seed)
    return {
        **estimates, "sentences": float(len(found.true)), "entities": float(found.true.sum()),
    }  # fmt: skip
