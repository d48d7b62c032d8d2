"""What each model said of the test sentences, read once and asked many questions.

Shapes: n words of a sentence, C tags.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from common.evaluation.spans import Counts, Span, counts, spans
from patterns.nlp.ner.data import Splits
from patterns.nlp.ner.entities.sentences import surface
from patterns.nlp.ner.pipeline import Pipeline
from patterns.nlp.ner.stages.servable import Servable

ONNX = "+ ONNX Runtime"
Said = list[list[Span]]


@dataclass(frozen=True)
class Answers:
    """Spans of the test sentences: true ones, and those of each row of the headline."""

    splits: Splits
    models: Mapping[str, Servable]
    """By row of the headline, the baseline first."""
    served: str
    scores: list[np.ndarray]
    """What serves gave each sentence, (n, C)."""
    said: Mapping[str, Said]
    """By row of the headline."""

    @cached_property
    def true(self) -> Said:
        """The true spans."""
        return self.splits.test.spans

    @cached_property
    def final(self) -> Said:
        """The spans of what serves."""
        return self.said[self.served]

    def counts(self, name: str) -> Counts:
        """Count a model's spans by sentence."""
        return counts(self.true, self.said[name])

    def surfaces(self, found: Said) -> set[tuple[str, str]]:
        """Return the different (name, type) of spans, case aside."""
        words = self.splits.test.words
        return {
            (surface(words[row][start:end]), kind)
            for row, of_sentence in enumerate(found)
            for start, end, kind in of_sentence
        }


def answers(pipeline: Pipeline, splits: Splits) -> Answers:
    """Let each model read the test sentences once."""
    models = models_of(pipeline)
    scores = {name: model.predict(splits.test.words) for name, model in models.items()}
    said = {
        name: [spans(tags) for tags in model.decoder_.decode(scores[name])]
        for name, model in models.items()
    }
    served = next(name for name, model in models.items() if model is pipeline.served_)
    return Answers(splits, models, served, scores[served], said)


def models_of(pipeline: Pipeline) -> dict[str, Servable]:
    """List what is compared, the baseline first."""
    found: list[Servable | None] = [pipeline.baseline, pipeline.linear, pipeline.encoder]
    models = {each.name: each for each in found if each is not None}
    assert pipeline.served_ is not None
    if pipeline.served_.kind == "onnx":
        models[ONNX] = pipeline.served_
    return models
