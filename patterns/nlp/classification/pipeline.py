"""The boxes wired: tokens -> encoder -> (exported to) ONNX Runtime -> temperature -> top-k.

The only place that turns the configuration into stages. `classify` is the verb, batch first; an
answer does not depend on the other texts of its batch. What serves is what the validation texts
prefer, the baseline included; of equals the simpler one. What is saved is what serves: the exported
model, or the torch one, the features with their head, or the baseline, as `pipeline.json` says.

Shapes: N texts, C classes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from common.atomic import write_json
from common.config import as_flags
from common.preference import preferred
from common.probabilities import Answer, answers, fit_temperature, softmax
from common.text import unspaced_notice
from patterns.nlp.classification.config import Config
from patterns.nlp.classification.data import Splits
from patterns.nlp.classification.entities.texts import text_profile
from patterns.nlp.classification.stages.export import Parity, export, parity
from patterns.nlp.classification.stages.score import score, score_name
from patterns.nlp.classification.stages.servable import Servable, load_servable
from patterns.nlp.classification.stages.tfidf import TfidfClassifier

if TYPE_CHECKING:
    import polars as pl

    from patterns.nlp.classification.stages.encoder import EncoderClassifier
    from patterns.nlp.classification.stages.features import FeatureClassifier

BASELINE, FEATURES = "tfidf", "tfidf-svd"


class Pipeline:
    """A text classifier with its baseline, and its torch form, beside it while it is trained."""

    def __init__(
        self,
        *,
        label_names: Sequence[str],
        k: int = 3,
        baseline: TfidfClassifier | None = None,
        encoder: EncoderClassifier | None = None,
        features: FeatureClassifier | None = None,
        runtime: str = "torch",
        seed: int = 0,
    ) -> None:
        """`features` take the encoder's place if it is absent or not available."""
        self.label_names, self.k = tuple(label_names), k
        self.baseline, self.encoder, self.features = baseline, encoder, features
        self.runtime, self.seed = runtime, seed
        self.notices: list[str] = []
        self.model_: EncoderClassifier | FeatureClassifier | None = None  # beyond the baseline
        self.served_: Servable | None = None
        self.example_ = ""  # a training text of usual length, to try the service with
        self.valid_scores_: dict[str, float] = {}  # name -> score on the validation texts
        self.parity_: Parity | None = None
        self.temperature_ = 1.0

    @classmethod
    def from_config(cls, config: Config, splits: Splits) -> Pipeline:
        """Make the unfitted stages."""
        classes = len(splits.label_names)
        return cls(
            label_names=splits.label_names,
            k=config.k,
            baseline=TfidfClassifier(),
            encoder=None if config.model in (BASELINE, FEATURES) else _encoder(config, classes),
            features=_features(config, classes) if config.model in ("auto", FEATURES) else None,
            runtime=config.runtime,
            seed=config.seed,
        )

    def fit_baseline(self, splits: Splits) -> Pipeline:
        """Fit TF-IDF + logistic regression; it serves until something better is fitted."""
        assert self.baseline is not None
        with as_flags(texts="data.text"):
            self.served_ = self.baseline.fit(splits.train, splits.valid)
        self._score(self.baseline, splits)
        by_length = sorted(splits.train.texts, key=len)
        self.example_ = by_length[len(by_length) // 2]
        said = unspaced_notice(splits.train.texts)
        self.notices += [f"{self.baseline.name}: {said}"] if said else []
        return self

    def fit_encoder(
        self, splits: Splits, *, checkpoints: Path | None = None, resume: bool = False
    ) -> Pipeline:
        """Fine-tune the transformer, or fit the features that stand in for it.

        It serves if the validation texts prefer it to the baseline.
        """
        from common.encoders import EncoderUnavailable

        checkpoint = checkpoints / "encoder" if checkpoints else None
        model = self.encoder or self.features
        if model is None:
            return self
        try:
            model.fit(splits.train, splits.valid, checkpoint=checkpoint, resume=resume)
        except EncoderUnavailable as missing:
            if self.features is None:
                raise
            self.notices.append(
                f"No transformer to fine-tune, TF-IDF + SVD features stand in: {missing}"
            )
            model = self.features
            model.fit(splits.train, splits.valid, checkpoint=checkpoint, resume=resume)
        self.model_ = model
        self._score(model, splits)
        if self.encoder is model:
            flags = {"max_length": "--encoder.max-length", "budget": "--encoder.budget"}
            unread = self.encoder.unread().items()
            self.notices += [f"{said} ({flags[argument]})." for argument, said in unread]
        measure = f"{score_name(splits.valid.labels)} on the {len(splits.valid):,} validation texts"
        served, notice = preferred(self.valid_scores_, model.name, measure=measure)
        self.served_ = model if served == model.name else self.baseline
        self.notices += [notice] if notice else []
        return self

    def fit_export(self, splits: Splits) -> Pipeline:
        """Put ONNX Runtime in service if asked for and if it answers as the trained encoder does.

        The two are compared on the validation texts.
        """
        if self.runtime != "onnx" or self.encoder is None or self.served_ is not self.encoder:
            return self
        exported = export(self.encoder)
        self.parity_ = parity(exported, self.encoder, splits.valid.texts)
        self.served_ = exported if self.parity_.holds else self.encoder
        self.notices += [self.parity_.notice] if self.parity_.notice else []
        return self

    def fit_temperature(self, splits: Splits) -> Pipeline:
        """Fit the calibration on the validation texts."""
        self.temperature_ = fit_temperature(self.logits(splits.valid.texts), splits.valid.labels)
        return self

    def logits(self, texts: Sequence[str]) -> np.ndarray:
        """Return raw outputs (N, C) of what serves."""
        assert self.served_ is not None, "fit or load it first"
        return self.served_.predict(texts)

    def classify(self, texts: Sequence[str], *, k: int | None = None) -> list[Answer]:
        """Return the k likeliest labels of each text; all labels where k exceeds them.

        Raises `ValueError` on a text that is empty or only white space.
        """
        for row, text in enumerate(texts):
            if not text.strip():
                raise ValueError(f"texts[{row}]: it is empty; give a text to classify")
        if not len(texts):
            return []
        probabilities = softmax(self.logits(texts), self.temperature_)  # (N, C)
        return answers(probabilities, self.label_names, k or self.k)

    def truncates(self, texts: Sequence[str]) -> list[bool]:
        """Return of each text whether its end is not read."""
        assert self.served_ is not None, "fit or load it first"
        return self.served_.truncates(texts)

    def profile(self, splits: Splits) -> pl.DataFrame:
        """Return what drift monitoring compares later: sizes and labels of the texts, no text."""
        import polars as pl

        labels = [self.label_names[label] for label in splits.train.labels]
        return text_profile(splits.train.texts).with_columns(label=pl.Series(labels))

    def save(self, folder: Path) -> None:
        """Write all that `load` needs into an existing folder."""
        assert self.served_ is not None, "fit it first"
        self.served_.save(folder)
        content = {
            "kind": self.served_.kind,
            "label_names": list(self.label_names),
            "k": self.k,
            "seed": self.seed,
            "temperature": self.temperature_,
            "notices": self.notices,
            "example": self.example_,
        }
        write_json(folder / "pipeline.json", content)

    @classmethod
    def load(cls, folder: Path) -> Pipeline:
        """Read what `save` wrote; neither the data nor the configuration is needed."""
        content = json.loads((folder / "pipeline.json").read_text(encoding="utf-8"))
        pipeline = cls(label_names=content["label_names"], k=content["k"], seed=content["seed"])
        pipeline.temperature_, pipeline.notices = content["temperature"], content["notices"]
        pipeline.example_ = content["example"]
        pipeline.served_ = load_servable(content["kind"], folder)
        return pipeline

    @property
    def valid_score_(self) -> float:
        """The validation score of the stage fitted last."""
        return list(self.valid_scores_.values())[-1]

    def _score(self, stage: Servable, splits: Splits) -> None:
        """Score a fitted stage on the validation texts."""
        predicted = stage.predict(splits.valid.texts).argmax(axis=1)
        self.valid_scores_[stage.name] = score(splits.valid.labels, predicted)


def _encoder(config: Config, classes: int) -> EncoderClassifier:
    from patterns.nlp.classification.stages.encoder import EncoderClassifier

    options = config.encoder
    return EncoderClassifier(
        model=config.model,
        classes=classes,
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
        max_length=options.max_length,
        precision=options.precision,
        device=config.device,
        seed=config.seed,
    )


def _features(config: Config, classes: int) -> FeatureClassifier:
    from patterns.nlp.classification.stages.features import FeatureClassifier

    return FeatureClassifier(
        classes=classes,
        batch_size=config.encoder.batch_size,
        label_smoothing=config.encoder.label_smoothing,
        device=config.device,
        seed=config.seed,
    )
