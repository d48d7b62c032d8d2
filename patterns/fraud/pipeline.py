"""The boxes wired: features -> rules and models -> calibration -> decision.

Every model is one `Variant`: a scorer, the calibration of its scores and the threshold of its
probabilities, both fitted on validation days. The best over several expanding windows is served, be
it the logistic baseline or the rules. The rules, or the logistic baseline where they are no help,
stay beside it, and answer whenever it raises or gives something that is no probability.

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
from common.config import as_flags
from common.units import DAY
from patterns.fraud.config import Config
from patterns.fraud.data import Splits
from patterns.fraud.entities.identifiers import Identifiers
from patterns.fraud.entities.payment import Payment
from patterns.fraud.stages.calibration import Calibration
from patterns.fraud.stages.choice import Judgement, judge, make_folds, settle_fallback
from patterns.fraud.stages.decision import CostDecision
from patterns.fraud.stages.features.definition import (
    HANDBOOK,
    FeatureSet,
    frequent,
    has_missing,
    standard,
)
from patterns.fraud.stages.features.leaks import suspicious_columns
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
MOST_BINS = 120_000  # of all features: a histogram a node is memory and time


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
    fallback: str | None = None  # why another answered instead of the model


class Pipeline:
    """Fraud detection from a table of payments to decisions about single ones.

    Learned attributes: `inputs_` (while it is trained), `judged_` (each candidate over the folds),
    `served_`, `fallback_`, the windows in `stream_`, the numbers of ids in `identifiers_`, and an
    `example_` payment.
    """

    def __init__(
        self,
        *,
        features: FeatureSet,
        rules: Variant,
        models: Sequence[Variant],
        servable: Sequence[str],
        folds: int = 3,
        delay_days: int = 7,
        alerts: int = 100,
        seed: int = 0,
    ) -> None:
        """`servable` are compared over `folds` windows; labels come `delay_days` late."""
        self.features = features
        self.rules, self.models, self.servable = rules, list(models), servable
        self.folds, self.delay_days = folds, delay_days
        self.alerts, self.seed = alerts, seed
        self.notices: list[str] = []
        self.judged_: dict[str, Judgement] = {}

    @classmethod
    def from_config(cls, config: Config, splits: Splits) -> Pipeline:
        """Make the unfitted stages for the columns of `splits`."""
        features = _features(config, splits)
        methods = list(XGBOOST)
        if features.categories or features.optional:  # nothing lies between two of those
            methods.remove("smote")
        costs, options = config.decision, config.model

        def variant(name: str, model: Model, imbalance: str = "none") -> Variant:
            return Variant(
                name=name,
                model=model,
                calibration=Calibration(kind=options.calibration),
                decision=CostDecision(
                    false_positive_cost=costs.false_positive_cost, policy=costs.policy
                ),
                imbalance=imbalance,
                seed=config.seed,
            )

        boosted = [variant(XGBOOST[method], _trees(config, features), method) for method in methods]
        return cls(
            features=features,
            rules=variant(RULES, Rules(names=features.names)),
            models=[variant(LOGISTIC, LogisticModel(codes=features.codes)), *boosted],
            servable=_servable(config, methods),
            folds=options.folds,
            delay_days=config.split.label_delay_days,
            alerts=costs.alerts,
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
        self.notices += suspicious_columns(self.features, self.inputs_.train, splits.train.labels)
        return self

    def fit_choice(self, splits: Splits) -> Pipeline:
        """Judge what may be served over several expanding windows, before anything is fitted."""
        train, valid = splits.train, splits.valid
        labels = np.concatenate([train.labels, valid.labels])
        times, delay = _joined(train.times, valid.times), self.delay_days * DAY
        folds = make_folds(labels, times, count=self.folds, delay=delay, seed=self.seed)
        self.judged_ = {}
        if not folds or len(self.servable) == 1:
            return self
        features = np.concatenate([self.inputs_.train, self.inputs_.valid])
        for name in self.servable:
            with as_flags(policy="decision.policy"):
                self.judged_[name] = judge(
                    self.variants[name],
                    folds,
                    features=features,
                    labels=labels,
                    amounts=_joined(train.amounts, valid.amounts),
                    weights=_joined(train.weights, valid.weights),
                    seed=self.seed,
                )
        return self

    def fit_rules(self, splits: Splits) -> Pipeline:
        """Fit the baseline, which is also the fallback unless it declines nearly everybody."""
        self._fit(self.rules, splits)
        return self

    def fit_models(self, splits: Splits) -> Pipeline:
        """Fit every model under every rebalancing; settle which one serves and which falls in."""
        for model in self.models:
            self._fit(model, splits)
        judged = {name: each.value for name, each in self.judged_.items()}
        value = judged or {name: self.variants[name].valid_ap_ for name in self.servable}
        self.served_ = self.variants[max(self.servable, key=value.__getitem__)]
        self.fallback_, notices = settle_fallback(
            self.served_,
            self.rules,
            [model for model in self.models if model is not self.served_],
            features=self.inputs_.valid,
            labels=splits.valid.labels,
            amounts=splits.valid.amounts,
        )
        self.notices += notices
        return self

    def fit_state(self, splits: Splits) -> Pipeline:
        """Build the state of all windows after the last payment, for serving."""
        self.stream_ = FeatureStream.from_frame(self.features, splits.frame, start=splits.start)
        self.identifiers_ = Identifiers(splits.names)
        columns = [c for c in splits.frame.columns if c in self.features.columns | {"amount"}]
        self.example_ = splits.frame.select(columns).row(-1, named=True)
        return self

    def _fit(self, variant: Variant, splits: Splits) -> None:
        train, valid = self.inputs_.train, self.inputs_.valid
        with as_flags(policy="decision.policy"):
            variant.fit(
                (train, splits.train.labels),
                (valid, splits.valid.labels),
                amounts=splits.valid.amounts,
                weights=splits.valid.weights,
            )

    def score(self, payments: list[Payment], *, record: bool = True) -> tuple[np.ndarray, Scores]:
        """Return features (N, F) and answers of payments in order.

        `record` lets each enter the past, before the next one is looked at.
        """
        step = self.stream_.update if record else self.stream_.peek
        features = np.stack([step(payment) for payment in payments])
        return features, self.decide(features, np.array([p.amount for p in payments]))

    def decide(self, features: np.ndarray, amounts: np.ndarray | None) -> Scores:
        """Decide on payments (N, F), (N,); by the fallback if the model fails."""
        try:
            probabilities = self.served_.probabilities(features)
            if not np.all((probabilities >= 0) & (probabilities <= 1)):
                raise ArithmeticError("the model gave something that is no probability")
            chosen, fallback = self.served_, None
        except Exception as problem:  # whatever it is, a payment needs an answer now
            fallback = f"{type(problem).__name__}: {problem}"
            chosen, probabilities = self.fallback_, self.fallback_.probabilities(features)
        declined = chosen.decision.decline(probabilities, amounts)
        return Scores(probabilities, declined, chosen.name, fallback)

    def reasons(self, features: np.ndarray) -> list[list[tuple[str, float, float]]]:
        """Return what raises the log-odds most: name, value, contribution; of rules nothing."""
        if self.served_ is self.rules:
            return [[] for _ in features]
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
        """Write the served model, rules, fallback and the features' state into `folder`."""
        kept = {variant.name: variant for variant in (self.served_, self.fallback_, self.rules)}
        for place, variant in enumerate(kept.values()):
            (folder / f"variant{place}").mkdir()
            variant.save(folder / f"variant{place}")
        self.stream_.save(folder)
        values = {"alerts": self.alerts, "seed": self.seed, "notices": self.notices}
        values |= {"names": self.identifiers_.names, "example": self.example_}
        values |= {"variants": list(kept), "served": self.served_.name}
        write_json(folder / "pipeline.json", values | {"fallback": self.fallback_.name})

    @classmethod
    def load(cls, folder: Path) -> Pipeline:
        """Read what `save` wrote; ready to `score`."""
        values = json.loads((folder / "pipeline.json").read_text(encoding="utf-8"))
        stream = FeatureStream.load(folder)
        places = enumerate(values["variants"])
        kept = {name: Variant.load(folder / f"variant{place}") for place, name in places}
        pipeline = cls(
            features=stream.features,
            rules=kept[RULES],
            models=[variant for name, variant in kept.items() if name != RULES],
            servable=[values["served"]],
            alerts=values["alerts"],
            seed=values["seed"],
        )
        pipeline.served_, pipeline.stream_ = kept[values["served"]], stream
        pipeline.fallback_ = kept[values["fallback"]]
        pipeline.identifiers_ = Identifiers(values["names"])
        pipeline.notices, pipeline.example_ = values["notices"], values["example"]
        return pipeline


def _features(config: Config, splits: Splits) -> FeatureSet:
    """Return the features that the columns of `splits` allow; the codes are those of training."""
    columns = set(splits.frame.columns)
    if config.features.kind == "handbook":
        lacking = HANDBOOK.columns - columns
        if lacking:
            raise ValueError(
                f"features.kind: handbook needs {', '.join(sorted(lacking))}; give --features.kind"
                " standard"
            )
        return HANDBOOK
    training = splits.frame[splits.train.rows]
    values = {column: frequent(training[column]) for column in splits.categories}
    further = (*splits.numbers, *splits.categories)
    return standard(
        columns=columns,
        delay=config.split.label_delay_days * DAY,
        calendar=splits.calendar,
        numbers=splits.numbers,
        categories={column: known for column, known in values.items() if known},
        optional=tuple(c for c in further if has_missing(splits.frame[c])),
    )


def _joined(first: np.ndarray | None, second: np.ndarray | None) -> np.ndarray | None:
    return None if first is None or second is None else np.concatenate([first, second])


def _trees(config: Config, features: FeatureSet) -> BoostedTrees:
    options, count = config.model, len(features.names)
    return BoostedTrees(
        trees=options.trees,
        depth=options.depth,
        learning_rate=options.learning_rate,
        min_child_weight=options.min_child_weight,
        bins=min(options.bins, max(256, MOST_BINS // count)),
        patience=options.patience,
        threads=options.threads,
        codes=features.codes,
        seed=config.seed,
    )


def _servable(config: Config, methods: list[str]) -> list[str]:
    """Return the names of what the configuration lets be served; `methods` can be fitted."""
    options = config.model
    if options.imbalance != "best" and options.imbalance not in methods:
        raise ValueError(
            f"model.imbalance: {options.imbalance} cannot interpolate categories or missing values;"
            f" give --model.imbalance one of {', '.join(methods)}, or --data.categories none"
        )
    chosen = methods if options.imbalance == "best" else [options.imbalance]
    boosted = [XGBOOST[method] for method in chosen]
    every = {"logistic": [LOGISTIC], "xgboost": boosted, "rules": [RULES]}
    return every.get(options.serve, [RULES, LOGISTIC, *boosted])
