"""The boxes wired: words -> windows of pieces -> scores -> decoder -> entities with their places.

The only place that turns the configuration into stages. `find` is the verb, batch first: texts to
entities; `tag` does the same for sentences that are cut into words already. An answer does not
depend on the other texts of its batch. What serves is what the validation sentences prefer, the
baselines included; of equals the simpler one. What is saved is what serves: the exported model, the
torch one, the linear one or the gazetteer, as `pipeline.json` says, with its decoder.

Shapes: N sentences, n words of one, C tags.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from common.atomic import write_json
from common.evaluation.parity import Parity
from common.evaluation.spans import Span, counts_of_tags, spans
from common.preference import preferred
from patterns.nlp.ner.config import Config
from patterns.nlp.ner.data import Splits
from patterns.nlp.ner.entities.sentences import Entity, Words, sentence_profile
from patterns.nlp.ner.entities.tags import TagSet
from patterns.nlp.ner.stages.export import export, parity
from patterns.nlp.ner.stages.gazetteer import Gazetteer
from patterns.nlp.ner.stages.linear import LinearTagger
from patterns.nlp.ner.stages.servable import Servable, load_servable
from patterns.nlp.ner.stages.words import split_words

if TYPE_CHECKING:
    import polars as pl

    from patterns.nlp.ner.stages.encoder import EncoderTagger

BASELINE, LINEAR = "gazetteer", "linear"


class Pipeline:
    """A tagger with its baselines, and its torch form, beside it while it is trained."""

    def __init__(
        self,
        *,
        types: Sequence[str],
        baseline: Gazetteer | None = None,
        linear: LinearTagger | None = None,
        encoder: EncoderTagger | None = None,
        stands_in: bool = False,
        runtime: str = "torch",
        seed: int = 0,
    ) -> None:
        """`stands_in` lets the linear model take the place of an encoder that is not available."""
        self.types = tuple(types)
        self.baseline, self.linear, self.encoder = baseline, linear, encoder
        self.stands_in, self.runtime, self.seed = stands_in, runtime, seed
        self.notices: list[str] = []
        self.served_: Servable | None = None
        self.example_ = ""  # a training sentence with entities, to try the service with
        self.valid_scores_: dict[str, float] = {}  # name -> entity F1 on the validation sentences
        self.parity_: Parity | None = None

    @classmethod
    def from_config(cls, config: Config, splits: Splits) -> Pipeline:
        """Make the unfitted stages."""
        tags = TagSet(splits.types)
        return cls(
            types=splits.types,
            baseline=Gazetteer(tags=tags),
            linear=None if config.model == BASELINE else LinearTagger(tags=tags),
            encoder=None if config.model in (BASELINE, LINEAR) else _encoder(config, tags),
            stands_in=config.model == "auto",
            runtime=config.runtime,
            seed=config.seed,
        )

    def fit_baseline(self, splits: Splits) -> Pipeline:
        """Fit the gazetteer and the linear model; the better one serves until it is beaten."""
        assert self.baseline is not None
        self.served_ = self.baseline.fit(splits.train, splits.valid)
        self._score(self.baseline, splits)
        if self.linear is not None:
            self.linear.fit(splits.train, splits.valid)
            self._score(self.linear, splits)
            self._prefer(self.linear, splits, last=self.encoder is None)
        self.example_ = _example(splits)
        return self

    def fit_encoder(
        self, splits: Splits, *, checkpoints: Path | None = None, resume: bool = False
    ) -> Pipeline:
        """Fine-tune the transformer; it serves if validation prefers it to the baselines."""
        from common.encoders import EncoderUnavailable

        if self.encoder is None:
            return self
        checkpoint = checkpoints / "encoder" if checkpoints else None
        try:
            self.encoder.fit(splits.train, splits.valid, checkpoint=checkpoint, resume=resume)
        except EncoderUnavailable as missing:
            if not self.stands_in:
                raise
            self.notices.append(
                f"No transformer to fine-tune, the linear model stands in: {missing}"
            )
            self.encoder = None
            return self
        self._score(self.encoder, splits)
        flags = {"budget": "--encoder.budget"}
        unread = self.encoder.unread().items()
        self.notices += [f"{said} ({flags[argument]})." for argument, said in unread]
        self._prefer(self.encoder, splits, last=True)
        return self

    def fit_export(self, splits: Splits) -> Pipeline:
        """Put ONNX Runtime in service if asked for and if it answers as the trained encoder does.

        The two are compared on the validation sentences.
        """
        if self.runtime != "onnx" or self.encoder is None or self.served_ is not self.encoder:
            return self
        exported = export(self.encoder)
        self.parity_ = parity(exported, self.encoder, splits.valid.words)
        self.served_ = exported if self.parity_.holds else self.encoder
        self.notices += [self.parity_.notice] if self.parity_.notice else []
        return self

    def tag(self, sentences: Sequence[Words]) -> list[list[str]]:
        """Return a tag for each word of each sentence."""
        served = self._served()
        return served.decoder_.decode(served.predict(sentences))

    def spans(self, sentences: Sequence[Words]) -> list[list[tuple[Span, float]]]:
        """Return the entities of each sentence, by word, each with its confidence."""
        served = self._served()
        scores = served.predict(sentences)
        found = [spans(tags) for tags in served.decoder_.decode(scores)]
        return [
            list(zip(each, served.decoder_.confidences(of_words, each), strict=True))
            for each, of_words in zip(found, scores, strict=True)
        ]

    def find(self, texts: Sequence[str]) -> list[list[Entity]]:
        """Return the entities of each text in order; places index the text as it was given."""
        split = [split_words(text) for text in texts]
        answers = []
        found = self.spans([words for words, _ in split])
        for text, (_, places), of_text in zip(texts, split, found, strict=True):
            entities = []
            for (first, after, kind), confidence in of_text:
                start, end = places[first][0], places[after - 1][1]
                entities.append(Entity(start, end, kind, text[start:end], confidence))
            answers.append(entities)
        return answers

    def truncates(self, texts: Sequence[str]) -> list[bool]:
        """Tell of each text whether what serves does not read all of it."""
        return self._served().truncates([split_words(text)[0] for text in texts])

    def profile(self, splits: Splits) -> pl.DataFrame:
        """Return what drift monitoring compares later: sizes and shares, no word."""
        return sentence_profile(splits.train)

    def save(self, folder: Path) -> None:
        """Write all that `load` needs into an existing folder."""
        served = self._served()
        served.save(folder)
        content = {
            "kind": served.kind,
            "types": list(self.types),
            "seed": self.seed,
            "notices": self.notices,
            "example": self.example_,
        }
        write_json(folder / "pipeline.json", content)

    @classmethod
    def load(cls, folder: Path) -> Pipeline:
        """Read what `save` wrote; neither the data nor the configuration is needed."""
        content = json.loads((folder / "pipeline.json").read_text(encoding="utf-8"))
        pipeline = cls(types=content["types"], seed=content["seed"])
        pipeline.notices, pipeline.example_ = content["notices"], content["example"]
        pipeline.served_ = load_servable(content["kind"], folder)
        return pipeline

    @property
    def valid_score_(self) -> float:
        """The validation score of the stage fitted last."""
        return list(self.valid_scores_.values())[-1]

    def _served(self) -> Servable:
        assert self.served_ is not None, "fit or load it first"
        return self.served_

    def _score(self, stage: Servable, splits: Splits) -> None:
        """Fit a stage's decoder on the validation sentences, and score both there."""
        scores = stage.predict(splits.valid.words)
        stage.decoder_.fit(scores, splits.valid.tags)
        found = counts_of_tags(splits.valid.tags, stage.decoder_.decode(scores))
        self.valid_scores_[stage.name] = found.f1

    def _prefer(self, stage: Servable, splits: Splits, *, last: bool) -> None:
        """Let the best so far serve; say so if that is not the stage fitted last."""
        measure = f"entity F1 on the {len(splits.valid):,} validation sentences"
        name, notice = preferred(self.valid_scores_, stage.name, measure=measure)
        fitted: list[Servable | None] = [self.baseline, self.linear, self.encoder]
        self.served_ = next(each for each in fitted if each is not None and each.name == name)
        self.notices += [notice] if notice and last else []


def _example(splits: Splits) -> str:
    """Return a training sentence of usual length with as many types as any of that length."""
    with_entities = [row for row, found in enumerate(splits.train.spans) if found]
    if not with_entities:
        return " ".join(splits.train.words[0])
    lengths = np.array([len(splits.train.words[row]) for row in with_entities])
    usual = np.flatnonzero(np.abs(lengths - np.median(lengths)) <= 3)
    rows = [with_entities[place] for place in usual] or with_entities
    found = splits.train.spans
    best = max(rows, key=lambda row: len({kind for *_, kind in found[row]}))
    return " ".join(splits.train.words[best])


def _encoder(config: Config, tags: TagSet) -> EncoderTagger:
    from patterns.nlp.ner.stages.encoder import EncoderTagger

    options = config.encoder
    return EncoderTagger(
        tags=tags,
        model=config.model,
        decoder=config.decoder,
        epochs=options.epochs,
        budget=options.budget,
        batch_size=options.batch_size,
        learning_rate=options.learning_rate,
        head_factor=options.head_factor,
        layer_decay=options.layer_decay,
        warmup=options.warmup,
        weight_decay=options.weight_decay,
        label_smoothing=options.label_smoothing,
        dropout=options.dropout,
        word_dropout=options.word_dropout,
        max_length=options.max_length,
        overlap=options.overlap,
        precision=options.precision,
        device=config.device,
        seed=config.seed,
    )
