"""The boxes wired: features -> rules and models -> calibration -> decision.

Every model is one `Variant`: a scorer, the calibration of its scores and the threshold of its
probabilities, both fitted on validation days. The best on validation is served; the rules stay
beside it, and answer whenever the model raises or gives something that is no probability.

The same `Pipeline` scores a table (`prepare`, `probabilities`) and single payments (`score`, which
moves the feature state forward); the features come from one definition, so both agree to the last
bit.

Shapes: `N` payments, `F` features.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import polars as pl

from patterns.fraud.config import Config
from patterns.fraud.data import Part, Splits, part_of
from patterns.fraud.stages.calibration import Calibration
from patterns.fraud.stages.decision import CostDecision
from patterns.fraud.stages.features.definition import DAY, HANDBOOK, FeatureSet, standard
from patterns.fraud.stages.features.history import Payment
from patterns.fraud.stages.imbalance import METHODS, rebalance
from patterns.fraud.stages.models.logistic import LogisticModel
from patterns.fraud.stages.models.xgboost import BoostedTrees
from patterns.fraud.stages.rules import Rules

RULES, LOGISTIC = "rules", "logistic regression"
XGBOOST = {
    "none": "XGBoost",
    "weight": "XGBoost, class weight",
    "smote": "XGBoost, SMOTE",
    "undersample": "XGBoost, undersampling",
}
FILES: dict[str, tuple[type, str]] = {
    "rules": (Rules, "rules.json"),
    "logistic": (LogisticModel, "logistic.json"),
    "xgboost": (BoostedTrees, "xgboost.ubj"),
}
TOP_REASONS = 3


class Model(Protocol):
    """What a variant needs of its model."""

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Scores (N,) in [0, 1] of features (N, F)."""

    def save(self, path: Path) -> None:
        """Write the model to one file."""


@dataclass
class Variant:
    """A fitted model with its calibration and decision."""

    name: str
    kind: str  # key of FILES
    model: Any
    calibration: Calibration
    decision: CostDecision
    valid_ap: float = 0.0

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Calibrated probabilities of fraud (N,)."""
        return self.calibration.transform(self.model.predict(features))

    def save(self, folder: Path) -> None:
        """Write model, calibration and decision into `folder`."""
        folder.mkdir()
        self.model.save(folder / FILES[self.kind][1])
        self.calibration.save(folder / "calibration.json")
        self.decision.save(folder / "decision.json")
        values = {"name": self.name, "kind": self.kind, "valid_ap": self.valid_ap}
        (folder / "variant.json").write_text(json.dumps(values), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Variant:
        """Read what `save` wrote."""
        values = json.loads((folder / "variant.json").read_text(encoding="utf-8"))
        model_type, file = FILES[values["kind"]]
        return cls(
            **values,
            model=model_type.load(folder / file),  # type: ignore[attr-defined]
            calibration=Calibration.load(folder / "calibration.json"),
            decision=CostDecision.load(folder / "decision.json"),
        )


@dataclass(frozen=True)
class Parts:
    """The three parts with their features."""

    train: Part
    valid: Part
    test: Part


@dataclass(frozen=True)
class Scores:
    """Answers for `N` payments."""

    probabilities: np.ndarray  # (N,)
    declined: np.ndarray  # (N,) bool
    by: str  # name of the variant that answered
    fallback: str | None = None  # why the rules answered instead of the model


class Pipeline:
    """Fraud detection from a table of payments to decisions about single ones."""

    def __init__(self, config: Config, features: FeatureSet) -> None:
        """Made by `from_config`, or by `load`."""
        self.config = config
        self.features = features
        self.variants: dict[str, Variant] = {}
        self.served: Variant
        self.rules: Variant
        self.stream: Any = None  # a FeatureStream, once `remember` or `load` was called
        self.names: dict[str, dict[str, int]] = {}

    @classmethod
    def from_config(cls, config: Config, columns: list[str]) -> Pipeline:
        """An unfitted pipeline for a table with these columns."""
        delay = config.split.label_delay_days * DAY
        chosen = (
            HANDBOOK
            if config.features == "handbook"
            else standard(columns=set(columns), delay=delay)
        )
        return cls(config, chosen)

    def prepare(self, splits: Splits) -> Parts:
        """Features of every payment, cut into the parts."""
        from patterns.fraud.stages.features.windows import compute

        matrix = compute(self.features, splits.frame, start=splits.start)  # (all rows, F)
        parts = (
            part_of(splits.frame, matrix, r) for r in (splits.train, splits.valid, splits.test)
        )
        return Parts(*parts)

    def fit_rules(self, train: Part, valid: Part) -> Variant:
        """The baseline, which is also the fallback."""
        rules = Rules().fit(train.features, train.labels, self.features.names)
        self.rules = self._variant(RULES, "rules", rules, valid)
        return self.rules

    def fit_models(self, train: Part, valid: Part) -> Variant:
        """Every model under every rebalancing; returns the one to serve, chosen on validation."""
        logistic = LogisticModel().fit((train.features, train.labels))
        self._variant(LOGISTIC, "logistic", logistic, valid)
        for method in METHODS:
            features, labels, weights = rebalance(
                train.features, train.labels, method=method, seed=self.config.seed
            )
            trees = self.trees().fit(
                (features, labels), (valid.features, valid.labels), weights=weights
            )
            self._variant(XGBOOST[method], "xgboost", trees, valid)
        self.served = max(
            (self.variants[name] for name in self._servable()), key=lambda v: v.valid_ap
        )
        return self.served

    def _servable(self) -> list[str]:
        """Names of the models that the configuration lets be served."""
        model, imbalance = self.config.model.serve, self.config.model.imbalance
        boosted = list(XGBOOST.values()) if imbalance == "best" else [XGBOOST[imbalance]]
        return {"logistic": [LOGISTIC], "xgboost": boosted, "best": [LOGISTIC, *boosted]}[model]

    def trees(self) -> BoostedTrees:
        """Unfitted trees as configured."""
        settings = self.config.model
        return BoostedTrees(
            trees=settings.trees,
            depth=settings.depth,
            learning_rate=settings.learning_rate,
            min_child_weight=settings.min_child_weight,
            bins=settings.bins,
            patience=settings.patience,
            threads=settings.threads,
            seed=self.config.seed,
        )

    def _variant(self, name: str, kind: str, model: Any, valid: Part) -> Variant:
        """Calibrate a fitted model and choose its threshold, on validation."""
        from common.evaluation.classification import average_precision

        scores = model.predict(valid.features)
        calibration = Calibration(kind=self.config.model.calibration).fit(scores, valid.labels)
        probabilities = calibration.transform(scores)
        decision = CostDecision(
            false_positive_cost=self.config.decision.false_positive_cost,
            policy=self.config.decision.policy,
        ).fit(probabilities, valid.labels, valid.amounts)
        ap = average_precision(valid.labels, scores)
        self.variants[name] = Variant(name, kind, model, calibration, decision, valid_ap=ap)
        return self.variants[name]

    def remember(self, splits: Splits) -> None:
        """Take the state of all windows after the last payment, for serving."""
        from patterns.fraud.stages.features.stream import FeatureStream

        self.stream = FeatureStream.from_frame(self.features, splits.frame, start=splits.start)
        self.names = splits.names

    def score(self, payments: list[Payment], *, record: bool = True) -> tuple[np.ndarray, Scores]:
        """Features (N, F) and answers of payments in order; `record` lets them enter the past."""
        assert self.stream is not None, "call `remember` or `load` first"
        step = self.stream.update if record else self.stream.peek
        features = np.stack([step(payment) for payment in payments])
        return features, self.decide(features, np.array([p.amount for p in payments]))

    def decide(self, features: np.ndarray, amounts: np.ndarray) -> Scores:
        """Probability and decision of payments (N, F), (N,); by the rules if the model fails."""
        try:
            probabilities = self.served.probabilities(features)
            if not np.all((probabilities >= 0) & (probabilities <= 1)):
                raise ArithmeticError("the model gave something that is no probability")
            chosen, fallback = self.served, None
        except Exception as problem:  # whatever it is, a payment needs an answer now
            fallback = f"{type(problem).__name__}: {problem}"
            chosen, probabilities = self.rules, self.rules.probabilities(features)
        declined = chosen.decision.decline(probabilities, amounts)
        return Scores(probabilities, declined, chosen.name, fallback)

    def reasons(self, features: np.ndarray) -> list[list[tuple[str, float, float]]]:
        """Of each payment the features that raise the log-odds most: name, value, contribution."""
        if self.served.kind == "rules":
            return [[] for _ in features]
        added = self.served.model.contributions(features)  # (N, F)
        order = np.argsort(-added, axis=1)[:, :TOP_REASONS]
        names = self.features.names
        return [
            [(names[f], float(row[f]), float(by[f])) for f in top if by[f] > 0]
            for row, by, top in zip(features, added, order, strict=True)
        ]

    def profile(self, part: Part, *, rows: int = 100_000) -> pl.DataFrame:
        """A sample of the model's inputs and its answers, the reference of drift monitoring."""
        kept = np.random.default_rng(self.config.seed).permutation(len(part))[:rows]
        frame = pl.DataFrame(part.features[kept], schema=list(self.features.names))
        score = self.served.probabilities(part.features[kept])
        return frame.with_columns(pl.Series("score", score))

    def save(self, folder: Path) -> None:
        """Write the served model, the rules, the feature state and the config."""
        self.served.save(folder / "served")
        self.rules.save(folder / "fallback")
        self.stream.save(folder / "state.npz")
        values = {"names": self.names}
        (folder / "pipeline.json").write_text(json.dumps(values), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Pipeline:
        """Read what `save` wrote; ready to `score`."""
        from patterns.fraud.stages.features.stream import FeatureStream

        values = json.loads((folder / "pipeline.json").read_text(encoding="utf-8"))
        stream = FeatureStream.load(folder / "state.npz")
        pipeline = cls(Config(), stream.features)
        pipeline.stream = stream
        pipeline.names = values["names"]
        pipeline.served = Variant.load(folder / "served")
        pipeline.rules = Variant.load(folder / "fallback")
        pipeline.variants = {v.name: v for v in (pipeline.rules, pipeline.served)}
        return pipeline
