"""The boxes wired: tokens -> encoder -> (exported to) ONNX Runtime -> temperature -> top-k.

The only place that turns the configuration into stages. `classify` is the verb, batch first; an
answer does not depend on the other texts of its batch. What serves is what the validation texts
prefer, the baseline included; of equals the simpler one. A student, an export or its int8 form
takes the place of what it was made from only if it passes its check on the validation texts. Saved
is what serves, as `pipeline.json` says, and the threshold below which a text is out of scope.

Shapes: N texts, C classes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from common.atomic import write_json
from common.config import as_flags
from common.evaluation.parity import Parity
from common.preference import preferred
from common.probabilities import answers, fit_temperature, softmax
from common.text import unspaced_notice
from patterns.nlp.classification.config import Config
from patterns.nlp.classification.data import Splits
from patterns.nlp.classification.entities.answers import TextAnswer, with_scope
from patterns.nlp.classification.entities.texts import text_profile
from patterns.nlp.classification.stages.export import OnnxClassifier, export, parity
from patterns.nlp.classification.stages.frozen import FrozenClassifier
from patterns.nlp.classification.stages.quantisation import Gate, gate, quantise
from patterns.nlp.classification.stages.scope import Scope, fit_scopes
from patterns.nlp.classification.stages.score import measure_of, score
from patterns.nlp.classification.stages.servable import Servable, load_servable
from patterns.nlp.classification.stages.tfidf import TfidfClassifier

if TYPE_CHECKING:
    import polars as pl

    from patterns.nlp.classification.stages.encoder import EncoderClassifier
    from patterns.nlp.classification.stages.features import FeatureClassifier
    from patterns.nlp.classification.stages.student import Student

BASELINE, FEATURES = "tfidf", "tfidf-svd"


class Pipeline:
    """A text classifier with its baseline, and its torch form, beside it while it is trained."""

    def __init__(
        self,
        *,
        label_names: Sequence[str],
        k: int = 3,
        baseline: TfidfClassifier | None = None,
        frozen: FrozenClassifier | None = None,
        encoder: EncoderClassifier | None = None,
        features: FeatureClassifier | None = None,
        student: Student | None = None,
        runtime: str = "torch",
        scope: str = "auto",
        keep_scope: float = 0.95,  # of the validation texts
        keep_score: float = 0.97,  # of its teacher's validation score, for a student to serve
        seed: int = 0,
    ) -> None:
        """`features` take the encoder's place if it is absent or not available."""
        self.label_names, self.k = tuple(label_names), k
        self.baseline, self.frozen, self.student = baseline, frozen, student
        self.encoder, self.features = encoder, features
        self.runtime, self.scope, self.seed = runtime, scope, seed
        self.keep_scope, self.keep_score = keep_scope, keep_score
        self.notices: list[str] = []
        self.model_: EncoderClassifier | FeatureClassifier | None = None  # beyond the baseline
        self.fitted_: dict[str, Servable] = {}  # name -> what was trained, in order
        self.served_: Servable | None = None
        self.trained_: EncoderClassifier | None = None  # what was exported
        self.exported_: OnnxClassifier | None = None
        self.example_ = ""  # a training text of usual length, to try the service with
        self.valid_scores_: dict[str, float] = {}  # name -> score on the validation texts
        self.parity_: Parity | None = None
        self.gate_: Gate | None = None
        self.temperature_ = 1.0
        self.scope_ = Scope()  # until it is fitted, all texts are in scope
        self.scopes_: Mapping[
            str, Scope
        ] = {}  # method -> what was compared, if labels are held out

    @classmethod
    def from_config(cls, config: Config, splits: Splits) -> Pipeline:
        """Make the unfitted stages."""
        classes = len(splits.label_names)
        tuned = config.model not in (BASELINE, FEATURES)
        return cls(
            label_names=splits.label_names,
            k=config.k,
            baseline=TfidfClassifier(),
            frozen=_frozen(config) if tuned else None,
            encoder=_encoder(config, classes) if tuned else None,
            features=_features(config, classes) if config.model in ("auto", FEATURES) else None,
            student=_student(config, classes) if tuned and config.student.layers else None,
            runtime=config.runtime,
            scope=config.scope.method,
            keep_scope=config.scope.keep,
            keep_score=config.student.keep,
            seed=config.seed,
        )

    def fit_baseline(self, splits: Splits) -> Pipeline:
        """Fit TF-IDF + logistic regression; it serves until something better is fitted."""
        assert self.baseline is not None
        with as_flags(texts="data.text"):
            self.baseline.fit(splits.train, splits.valid)
        self._judge(self.baseline, splits)
        by_length = sorted(splits.train.texts, key=len)
        self.example_ = by_length[len(by_length) // 2]
        if said := unspaced_notice(splits.train.texts):
            self.notices.append(f"{self.baseline.name}: {said}")
        return self

    def fit_frozen(self, splits: Splits) -> Pipeline:
        """Fit logistic regression on the vectors of the encoder as it comes, if it is available."""
        from common.encoders import EncoderUnavailable

        if self.frozen is None:
            return self
        try:
            self.frozen.fit(splits.train, splits.valid)
        except EncoderUnavailable:
            self.frozen = None  # the next stage says what stands in
            return self
        self._judge(self.frozen, splits)
        self.notices += self.frozen.said()
        if self.encoder is not None:
            self.encoder.guide = self.frozen.guide()
        return self

    def fit_encoder(
        self, splits: Splits, *, checkpoints: Path | None = None, resume: bool = False
    ) -> Pipeline:
        """Fine-tune the transformer, or fit the features that stand in for it.

        It serves if the validation texts prefer it to what is simpler.
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
        notice = self._judge(model, splits)
        if self.encoder is model:
            flags = {"max_length": "--encoder.max-length", "budget": "--encoder.budget"}
            unread = self.encoder.unread().items()
            self.notices += [f"{said} ({flags[argument]})." for argument, said in unread]
        self.notices += [notice] if notice else []
        return self

    def fit_student(
        self, splits: Splits, *, checkpoints: Path | None = None, resume: bool = False
    ) -> Pipeline:
        """Teach a smaller model what the fine-tuned one knows; it serves if it keeps enough."""
        if self.student is None or self.encoder is None or self.served_ is not self.encoder:
            return self
        checkpoint = checkpoints / "student" if checkpoints else None
        with as_flags(layers="student.layers", neurons="student.neurons"):
            self.student.fit(
                self.encoder, splits.train, splits.valid, checkpoint=checkpoint, resume=resume
            )
        student = self.student.model_
        assert student is not None
        self._score(student, splits)
        notice = self.student.judged(
            self.valid_scores_[student.name], self.valid_scores_[self.encoder.name],
            least=self.keep_score, measure=measure_of(splits.valid.labels),
        )  # fmt: skip
        self.served_ = self.encoder if notice else student
        self.notices += [notice] if notice else []
        return self

    def fit_export(self, splits: Splits) -> Pipeline:
        """Put ONNX Runtime, or its int8 form, in service if asked for and if it passes its check.

        The first is compared with torch on the validation texts, the second with the first.
        """
        if self.runtime == "torch" or not self.can_export:
            return self
        self.trained_ = cast("EncoderClassifier", self.served_)
        exported = export(self.trained_)
        self.parity_ = parity(exported, self.trained_, splits.valid.texts)
        if self.parity_.holds:
            self.served_ = self.exported_ = exported
        if self.exported_ and self.runtime == "onnx-int8":
            small = quantise(exported)
            self.gate_ = gate(small, exported, splits.valid)
            self.served_ = small if self.gate_.holds else exported
        said = [check.notice for check in (self.parity_, self.gate_) if check]
        self.notices += [notice for notice in said if notice]
        return self

    def fit_temperature(self, splits: Splits) -> Pipeline:
        """Fit the calibration on the validation texts."""
        self.temperature_ = fit_temperature(self.logits(splits.valid.texts), splits.valid.labels)
        return self

    def fit_scope(self, splits: Splits) -> Pipeline:
        """Fit the threshold of being out of scope; all methods, where labels are held out."""
        assert self.served_ is not None, "fit it first"
        self.scope_, self.scopes_, notice = fit_scopes(
            self.served_.outputs, splits.train, splits.valid, splits.unknown_valid,
            method=self.scope, keep=self.keep_scope, seed=self.seed,
        )  # fmt: skip
        self.notices += [notice] if notice else []
        return self

    def logits(self, texts: Sequence[str]) -> np.ndarray:
        """Return raw outputs (N, C) of what serves."""
        assert self.served_ is not None, "fit or load it first"
        return self.served_.predict(texts)

    def classify(self, texts: Sequence[str], *, k: int | None = None) -> list[TextAnswer]:
        """Return the k likeliest labels of each text; all labels where k exceeds them.

        Raises `ValueError` on a text that is empty or only white space.
        """
        for row, text in enumerate(texts):
            if not text.strip():
                raise ValueError(f"texts[{row}]: it is empty; give a text to classify")
        if not len(texts):
            return []
        assert self.served_ is not None, "fit or load it first"
        outputs = self.served_.outputs(texts)
        probabilities = softmax(outputs.logits, self.temperature_)  # (N, C)
        found = answers(probabilities, self.label_names, k or self.k)
        return with_scope(found, self.scope_.rate(outputs), self.scope_.threshold_)

    def truncates(self, texts: Sequence[str]) -> list[bool]:
        """Return of each text whether its end is not read."""
        assert self.served_ is not None, "fit or load it first"
        return self.served_.truncates(texts)

    def profile(self, splits: Splits) -> pl.DataFrame:
        """Return what drift monitoring compares later: sizes and labels of the texts, no text."""
        import polars as pl

        labels = pl.Series([self.label_names[label] for label in splits.train.labels])
        return text_profile(splits.train.texts).with_columns(label=labels)

    def save(self, folder: Path) -> None:
        """Write all that `load` needs into an existing folder."""
        assert self.served_ is not None, "fit it first"
        self.served_.save(folder)
        self.scope_.save(folder)
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
        pipeline.scope_ = Scope.load(folder)
        return pipeline

    @property
    def can_export(self) -> bool:
        """Whether what serves is a transformer in torch."""
        return self.served_ is not None and self.served_.kind == "encoder"

    @property
    def valid_score_(self) -> float:
        """The validation score of the stage fitted last."""
        return list(self.valid_scores_.values())[-1]

    def _score(self, stage: Servable, splits: Splits) -> None:
        """Score a fitted stage on the validation texts."""
        predicted = stage.predict(splits.valid.texts).argmax(axis=1)
        self.fitted_[stage.name] = stage
        self.valid_scores_[stage.name] = score(splits.valid.labels, predicted)

    def _judge(self, stage: Servable, splits: Splits) -> str | None:
        """Score a fitted stage and let serve what is best so far; return what to say of that."""
        self._score(stage, splits)
        served, notice = preferred(
            self.valid_scores_, stage.name, measure=measure_of(splits.valid.labels)
        )
        self.served_ = self.fitted_[served]
        return notice


def _encoder(config: Config, classes: int) -> EncoderClassifier:
    from patterns.nlp.classification.stages.encoder import EncoderClassifier

    return EncoderClassifier(
        model=config.model, classes=classes, device=config.device, seed=config.seed,
        **vars(config.encoder),  # the same names
    )  # fmt: skip


def _features(config: Config, classes: int) -> FeatureClassifier:
    from patterns.nlp.classification.stages.features import FeatureClassifier

    return FeatureClassifier(
        classes=classes, batch_size=config.encoder.batch_size, device=config.device,
        label_smoothing=config.encoder.label_smoothing, seed=config.seed,
    )  # fmt: skip


def _frozen(config: Config) -> FrozenClassifier:
    return FrozenClassifier(
        model=config.model, max_length=config.encoder.max_length,
        device=config.device, seed=config.seed,
    )  # fmt: skip


def _student(config: Config, classes: int) -> Student:
    from patterns.nlp.classification.stages.student import Student

    options = {name: value for name, value in vars(config.student).items() if name != "keep"}
    return Student(trainee=_encoder(config, classes), **options)
