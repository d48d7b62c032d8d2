"""The baseline: a list of the names that training had, and the type that each had most often.

From left to right, the longest run of words that training marked as an entity, case aside, gets the
type it had most often, if it was an entity more often than not whenever it stood there. It finds
what it has seen and nothing else: the measure of how much of a test is memory.

Shapes: n words of a sentence, C tags.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np

from common.atomic import write_json
from patterns.nlp.ner.entities.sentences import Sentences, Words, surface
from patterns.nlp.ner.entities.tags import TagSet
from patterns.nlp.ner.stages.decoding import Decoder

FILE = "gazetteer.json"
SURE = 4.0  # score of a tag that was looked up, others have 0


class Gazetteer:
    """Names to types; `least_share` is how often a name must be an entity where it stands."""

    kind = "gazetteer"
    name = "gazetteer"

    def __init__(self, *, tags: TagSet, least_share: float = 0.5, most_words: int = 8) -> None:
        self.tags, self.least_share, self.most_words = tags, least_share, most_words
        self.types_: dict[str, str] = {}
        self.decoder_ = Decoder(tags=tags)

    def fit(self, train: Sentences, valid: Sentences) -> Self:
        """Count names and how often their words stand in training at all; `valid` is not used."""
        named: dict[str, Counter[str]] = {}
        for words, found in zip(train.words, train.spans, strict=True):
            for start, end, kind in found:
                if end - start <= self.most_words:
                    named.setdefault(surface(words[start:end]), Counter())[kind] += 1
        stands = self._occurrences(train, named)
        self.types_ = {
            name: min(kinds, key=lambda kind: (-kinds[kind], kind))
            for name, kinds in named.items()
            if kinds.total() > self.least_share * stands[name]
        }
        return self

    def predict(self, sentences: Sequence[Words]) -> list[np.ndarray]:
        """Return the scores (n, C) of each sentence."""
        return [self._scores(words) for words in sentences]

    def truncates(self, sentences: Sequence[Words]) -> list[bool]:
        """Tell of each sentence whether a part of it is not read; this stage reads all."""
        return [False] * len(sentences)

    def save(self, folder: Path) -> None:
        """Write the names; they are the training data's own words."""
        self.decoder_.save(folder)
        content = {"types": self.types_, "most_words": self.most_words}
        write_json(folder / FILE, content)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        content = json.loads((folder / FILE).read_text(encoding="utf-8"))
        decoder = Decoder.load(folder)
        stage = cls(tags=decoder.tags, most_words=content["most_words"])
        stage.types_, stage.decoder_ = content["types"], decoder
        return stage

    def _occurrences(self, train: Sentences, named: dict[str, Counter[str]]) -> Counter[str]:
        """Count how often the words of each name stand in training, entity or not."""
        stands: Counter[str] = Counter()
        sizes = sorted({name.count(" ") + 1 for name in named})
        for words in train.words:
            for size in sizes:
                runs = (surface(words[place : place + size]) for place in range(len(words)))
                stands.update(run for run in runs if run in named)
        return stands

    def _scores(self, words: Words) -> np.ndarray:
        scores = np.zeros((len(words), len(self.tags)))
        place = 0
        while place < len(words):
            size = self._longest(words, place)
            if not size:
                scores[place, 0] = SURE
                place += 1
                continue
            kind = self.types_[surface(words[place : place + size])]
            begin, inside = self.tags.numbers([f"B-{kind}", f"I-{kind}"])
            scores[place, begin] = SURE
            scores[place + 1 : place + size, inside] = SURE
            place += size
        return scores

    def _longest(self, words: Words, place: int) -> int:
        """Return how many words the longest name at a place has, 0 for none."""
        for size in range(min(self.most_words, len(words) - place), 0, -1):
            if surface(words[place : place + size]) in self.types_:
                return size
        return 0
