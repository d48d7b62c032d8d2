"""The boxes wired: tokens -> encoder -> (exported to) ONNX Runtime -> temperature -> top-k.

The only place that turns the configuration into stages. `classify` is the verb, batch first; an
answer does not depend on the other texts of its batch. What is saved is what serves: the exported
model, or the torch one, the features with their head, or the baseline, as `pipeline.json` says.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from common.atomic import write_json
from common.probabilities import fit_temperature, softmax, top_k
from patterns.nlp.classification.config import Config

if TYPE_CHECKING:
    from common.training import History
    from patterns.nlp.classification.data import Splits
    from patterns.nlp.classification.stages.encoder import EncoderClassifier
    from patterns.nlp.classification.stages.export import Parity
    from patterns.nlp.classification.stages.features import FeatureClassifier
    from patterns.nlp.classification.stages.tfidf import TfidfClassifier

FORMAT = 1
BASELINE, FEATURES = "tfidf", "tfidf-svd"


class Predictor(Protocol):
    """What can serve: texts to logits, saved to a folder."""

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """Return logits (N, C)."""

    def save(self, folder: Path) -> None:
        """Write all that `load` needs."""


@dataclass(frozen=True)
class Answer:
    """The likeliest labels of one text, best first, and their calibrated probabilities."""

    labels: list[str]
    probabilities: list[float]


class Pipeline:
    """A text classifier with its baseline, and its torch form, beside it while it is trained."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.notices: list[str] = []
        self.label_names: tuple[str, ...] = ()
        self.temperature = 1.0
        self.baseline: TfidfClassifier | None = None
        self.trained: EncoderClassifier | FeatureClassifier | None = None
        self.serving: Predictor | None = None
        self.kind = BASELINE  # tfidf | features | encoder | onnx: what `serving` is
        self.parity: Parity | None = None

    @classmethod
    def from_config(cls, config: Config) -> Pipeline:
        """Make an unfitted pipeline."""
        return cls(config)

    @property
    def history(self) -> History | None:
        """The training history of the model, where it has epochs."""
        return self.trained.history_ if self.trained is not None else None

    def fit_baseline(self, splits: Splits) -> Pipeline:
        """Fit TF-IDF + logistic regression; it serves until something better is fitted."""
        from patterns.nlp.classification.stages.tfidf import TfidfClassifier

        self.label_names = splits.label_names
        self.baseline = TfidfClassifier().fit(*_four(splits))
        self.serving, self.kind = self.baseline, BASELINE
        return self

    def fit_encoder(
        self, splits: Splits, *, checkpoint: Path | None = None, resume: bool = False
    ) -> Pipeline:
        """Fine-tune the model that `config.model` names, or fit what stands in for it."""
        from common.encoders import EncoderUnavailable

        model = self.config.model
        if model == BASELINE:
            return self
        self.label_names = splits.label_names
        if model != FEATURES:
            encoder = self._encoder()
            try:
                encoder.fit(*_four(splits), checkpoint=checkpoint, resume=resume)
                self.trained, self.serving, self.kind = encoder, encoder, "encoder"
                return self
            except EncoderUnavailable as missing:
                if model != "auto":
                    raise
                self.notices.append(
                    f"No transformer to fine-tune, TF-IDF + SVD features stand in: {missing}"
                )
        features = self._features()
        features.fit(*_four(splits), checkpoint=checkpoint, resume=resume)
        self.trained, self.serving, self.kind = features, features, "features"
        return self

    def export(self, splits: Splits) -> Pipeline:
        """Put ONNX Runtime in service if the export answers as the trained model does."""
        from patterns.nlp.classification.stages.export import export, parity

        if self.kind != "encoder" or self.config.runtime != "onnx":
            return self
        trained: Any = self.trained
        exported = export(trained)
        self.parity = parity(exported, trained, splits.valid_texts)
        if self.parity.holds:
            self.serving, self.kind = exported, "onnx"
        else:
            self.notices.append(
                f"The ONNX export is not served: logits differ by {self.parity.max_difference:.2g},"
                f" labels agree on {self.parity.agreement:.4f} of {self.parity.texts} texts; torch"
                " serves instead."
            )
        return self

    def fit_temperature(self, splits: Splits) -> Pipeline:
        """Fit the calibration on the validation texts."""
        self.temperature = fit_temperature(self.logits(splits.valid_texts), splits.valid_labels)
        return self

    def logits(self, texts: Sequence[str]) -> np.ndarray:
        """Return raw outputs (N, C) of what serves."""
        assert self.serving is not None, "fit or load it first"
        return self.serving.predict(texts)

    def classify(self, texts: Sequence[str], *, k: int | None = None) -> list[Answer]:
        """Return the k likeliest labels of each text; all labels where k exceeds them.

        Raises `ValueError` on a text that is empty or only white space.
        """
        for row, text in enumerate(texts):
            if not text.strip():
                raise ValueError(f"texts[{row}]: it is empty; give a text to classify")
        if not len(texts):
            return []
        labels, shares = top_k(softmax(self.logits(texts), self.temperature), k or self.config.k)
        return [
            Answer([self.label_names[label] for label in row], share.tolist())
            for row, share in zip(labels, shares, strict=True)
        ]

    def save(self, folder: Path) -> None:
        """Write all that `load` needs into an existing folder."""
        assert self.serving is not None, "fit it first"
        self.serving.save(folder)
        content = {
            "format": FORMAT,
            "kind": self.kind,
            "model": self.config.model,
            "label_names": list(self.label_names),
            "temperature": self.temperature,
            "k": self.config.k,
            "notices": self.notices,
        }
        write_json(folder / "pipeline.json", content)

    @classmethod
    def load(cls, folder: Path) -> Pipeline:
        """Read a saved pipeline; it needs neither the data nor the run's configuration."""
        content = json.loads((folder / "pipeline.json").read_text(encoding="utf-8"))
        pipeline = cls(Config(model=content["model"], k=content["k"], device="cpu"))
        pipeline.label_names = tuple(content["label_names"])
        pipeline.temperature, pipeline.notices = content["temperature"], content["notices"]
        pipeline.kind = content["kind"]
        pipeline.serving = _load_serving(pipeline.kind, folder)
        return pipeline

    def _encoder(self) -> EncoderClassifier:
        from patterns.nlp.classification.stages.encoder import EncoderClassifier

        options = self.config.encoder
        return EncoderClassifier(
            model=self.config.model,
            classes=len(self.label_names),
            epochs=options.epochs,
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
            device=self.config.device,
            seed=self.config.seed,
        )

    def _features(self) -> FeatureClassifier:
        from patterns.nlp.classification.stages.features import FeatureClassifier

        return FeatureClassifier(
            classes=len(self.label_names),
            batch_size=self.config.encoder.batch_size,
            label_smoothing=self.config.encoder.label_smoothing,
            device=self.config.device,
            seed=self.config.seed,
        )


def _four(splits: Splits) -> tuple[list[str], np.ndarray, list[str], np.ndarray]:
    return splits.train_texts, splits.train_labels, splits.valid_texts, splits.valid_labels


def _load_serving(kind: str, folder: Path) -> Predictor:
    if kind == "onnx":
        from patterns.nlp.classification.stages.export import OnnxClassifier

        return OnnxClassifier.load(folder)
    if kind == "encoder":
        from patterns.nlp.classification.stages.encoder import EncoderClassifier

        return EncoderClassifier.load(folder)
    if kind == "features":
        from patterns.nlp.classification.stages.features import FeatureClassifier

        return FeatureClassifier.load(folder)
    from patterns.nlp.classification.stages.tfidf import TfidfClassifier

    return TfidfClassifier.load(folder)
