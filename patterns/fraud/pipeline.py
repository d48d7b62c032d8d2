"""The boxes wired: features -> rules and models -> calibration -> decision.

Every model is one `Variant`: a scorer, the calibration of its scores and the threshold of its
probabilities, both fitted on validation days. The best on validation is served; the rules stay
beside it, and answer whenever the model raises or gives something that is no probability.

The same `Pipeline` scores a table (`inputs_`, `decide`) and single payments (`score`, which moves
the feature state forward); the features come from one definition, so both agree to the last bit.

Shapes: `N` payments, `F` features.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from common.atomic import write_json
from patterns.fraud.config import Config, ModelOptions
from patterns.fraud.data import Splits
from patterns.fraud.entities.identifiers import Identifiers
from patterns.fraud.entities.payment import DAY, Payment
from patterns.fraud.stages.calibration import Calibration
from patterns.fraud.stages.decision import CostDecision
from patterns.fraud.stages.features.definition import HANDBOOK, FeatureSet, standard
from patterns.fraud.stages.features.stream import FeatureStream
from patterns.fraud.stages.features.windows import compute
from patterns.fraud.stages.models.base import Model
from patterns.fraud.stages.models.logistic import LogisticModel
from patterns.fraud.stages.models.xgboost import BoostedTrees
from patterns.fraud.stages.rules import Rules
from patterns.fraud.stages.variant import Variant

RULES, LOGISTIC = "rules", "logistic regression"
XGBOOST = {
    "none": "XGBoost",
    "weight": "XGBoost, class weight",
    "smote": "XGBoost, SMOTE",
    "undersample": "XGBoost, undersampling",
}
TOP_REASONS = 3
PROFILE_ROWS = 100_000


@dataclass(frozen=True)
class Inputs:
    """Features of each part, (N, F) float32."""

    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray


@dataclass(frozen=True)
class Scores:
    """Answers for `N` payments."""

    probabilities: np.ndarray  # (N,)
    declined: np.ndarray  # (N,) bool
    by: str  # name of the variant that answered
    fallback: str | None = None  # why the rules answered instead of the model


class Pipeline:
    """Fraud detection from a table of payments to decisions about single ones.

    Learned attributes: `inputs_` (while it is trained), `served_`, the state of the windows in
    `stream_`, and the numbers of customers and terminals in `identifiers_`.
    """

    def __init__(
        self,
        *,
        features: FeatureSet,
        rules: Variant,
        models: Sequence[Variant],
        servable: Sequence[str],
        alerts: int = 100,
        seed: int = 0,
    ) -> None:
        """`models` are compared, those named in `servable` may be served; `alerts` are a day's."""
        self.features = features
        self.rules, self.models, self.servable = rules, list(models), servable
        self.alerts, self.seed = alerts, seed
        self.notices: list[str] = []

    @classmethod
    def from_config(cls, config: Config, splits: Splits) -> Pipeline:
        """Make the unfitted stages for the columns of `splits`."""
        features = HANDBOOK
        if config.features.kind == "standard":
            delay = config.split.label_delay_days * DAY
            features = standard(columns=set(splits.frame.columns), delay=delay)

        def variant(name: str, model: Model, imbalance: str = "none") -> Variant:
            costs = config.decision
            return Variant(
                name=name,
                model=model,
                calibration=Calibration(kind=config.model.calibration),
                decision=CostDecision(
                    false_positive_cost=costs.false_positive_cost, policy=costs.policy
                ),
                imbalance=imbalance,
                seed=config.seed,
            )

        boosted = [
            variant(name, _trees(config.model, config.seed), method)
            for method, name in XGBOOST.items()
        ]
        return cls(
            features=features,
            rules=variant(RULES, Rules(names=features.names)),
            models=[variant(LOGISTIC, LogisticModel()), *boosted],
            servable=_servable(config.model),
            alerts=config.decision.alerts,
            seed=config.seed,
        )

    @property
    def variants(self) -> dict[str, Variant]:
        """Return the rules and all models by name."""
        return {variant.name: variant for variant in (self.rules, *self.models)}

    def fit_features(self, splits: Splits) -> Pipeline:
        """Compute the features of every payment, whose windows need the past, and cut the parts."""
        matrix = compute(self.features, splits.frame, start=splits.start)  # (all rows, F)
        parts = (splits.train, splits.valid, splits.test)
        self.inputs_ = Inputs(*(matrix[part.rows] for part in parts))
        return self

    def fit_rules(self, splits: Splits) -> Pipeline:
        """Fit the baseline, which is also the fallback."""
        self._fit(self.rules, splits)
        return self

    def fit_models(self, splits: Splits) -> Pipeline:
        """Fit every model under every rebalancing, and choose on validation which one to serve."""
        for model in self.models:
            self._fit(model, splits)
        candidates = [model for model in self.models if model.name in self.servable]
        self.served_ = max(candidates, key=lambda model: model.valid_ap_)
        return self

    def fit_state(self, splits: Splits) -> Pipeline:
        """Build the state of all windows after the last payment, for serving."""
        self.stream_ = FeatureStream.from_frame(self.features, splits.frame, start=splits.start)
        self.identifiers_ = Identifiers(splits.names)
        return self

    def _fit(self, variant: Variant, splits: Splits) -> None:
        train, valid = self.inputs_.train, self.inputs_.valid
        variant.fit(
            (train, splits.train.labels),
            (valid, splits.valid.labels),
            amounts=splits.valid.amounts,
        )

    def score(self, payments: list[Payment], *, record: bool = True) -> tuple[np.ndarray, Scores]:
        """Return features (N, F) and answers of payments in order.

        `record` lets each enter the past, before the next one is looked at.
        """
        step = self.stream_.update if record else self.stream_.peek
        features = np.stack([step(payment) for payment in payments])
        return features, self.decide(features, np.array([p.amount for p in payments]))

    def decide(self, features: np.ndarray, amounts: np.ndarray) -> Scores:
        """Decide on payments (N, F), (N,); by the rules if the model fails."""
        try:
            probabilities = self.served_.probabilities(features)
            if not np.all((probabilities >= 0) & (probabilities <= 1)):
                raise ArithmeticError("the model gave something that is no probability")
            chosen, fallback = self.served_, None
        except Exception as problem:  # whatever it is, a payment needs an answer now
            fallback = f"{type(problem).__name__}: {problem}"
            chosen, probabilities = self.rules, self.rules.probabilities(features)
        declined = chosen.decision.decline(probabilities, amounts)
        return Scores(probabilities, declined, chosen.name, fallback)

    def reasons(self, features: np.ndarray) -> list[list[tuple[str, float, float]]]:
        """Return the features that raise the log-odds most: name, value, contribution."""
        added = self.served_.model.contributions(features)  # (N, F)
        order = np.argsort(-added, axis=1)[:, :TOP_REASONS]
        names = self.features.names
        return [
            [(names[f], float(row[f]), float(by[f])) for f in top if by[f] > 0]
            for row, by, top in zip(features, added, order, strict=True)
        ]

    def profile(self, splits: Splits) -> pl.DataFrame:
        """Return a sample of the model's inputs and its answers, for drift monitoring."""
        kept = np.random.default_rng(self.seed).permutation(len(splits.train))[:PROFILE_ROWS]
        features = self.inputs_.train[kept]
        score = pl.Series("score", self.served_.probabilities(features))
        return pl.DataFrame(features, schema=list(self.features.names)).with_columns(score)

    def save(self, folder: Path) -> None:
        """Write the served model, rules and the features' state into an existing folder."""
        for name, variant in (("served", self.served_), ("fallback", self.rules)):
            (folder / name).mkdir()
            variant.save(folder / name)
        self.stream_.save(folder)
        values = {"alerts": self.alerts, "seed": self.seed, "notices": self.notices}
        write_json(folder / "pipeline.json", values | {"names": self.identifiers_.names})

    @classmethod
    def load(cls, folder: Path) -> Pipeline:
        """Read what `save` wrote; ready to `score`."""
        values = json.loads((folder / "pipeline.json").read_text(encoding="utf-8"))
        served, stream = Variant.load(folder / "served"), FeatureStream.load(folder)
        pipeline = cls(
            features=stream.features,
            rules=Variant.load(folder / "fallback"),
            models=[served],
            servable=[served.name],
            alerts=values["alerts"],
            seed=values["seed"],
        )
        pipeline.served_, pipeline.stream_ = served, stream
        pipeline.identifiers_ = Identifiers(values["names"])
        pipeline.notices = values["notices"]
        return pipeline


def _trees(options: ModelOptions, seed: int) -> BoostedTrees:
    return BoostedTrees(
        trees=options.trees,
        depth=options.depth,
        learning_rate=options.learning_rate,
        min_child_weight=options.min_child_weight,
        bins=options.bins,
        patience=options.patience,
        threads=options.threads,
        seed=seed,
    )


def _servable(options: ModelOptions) -> list[str]:
    """Return the names of the models that the configuration lets be served."""
    every = list(XGBOOST.values())
    boosted = every if options.imbalance == "best" else [XGBOOST[options.imbalance]]
    return {"logistic": [LOGISTIC], "xgboost": boosted, "best": [LOGISTIC, *boosted]}[options.serve]
