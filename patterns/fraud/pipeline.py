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
from pathlib import Path

import numpy as np
import polars as pl

from common.atomic import write_json
from common.config import as_flags
from common.units import DAY
from patterns.fraud.config import Config
from patterns.fraud.data import Splits
from patterns.fraud.entities.identifiers import Identifiers
from patterns.fraud.entities.inputs import Inputs
from patterns.fraud.entities.payment import Payment
from patterns.fraud.stages.calibration import Calibration
from patterns.fraud.stages.choice import Choice, servable
from patterns.fraud.stages.decision import CostDecision, offered
from patterns.fraud.stages.fallback import Scores, answer, settle_fallback
from patterns.fraud.stages.features.columns import allowed
from patterns.fraud.stages.features.definition import FeatureSet
from patterns.fraud.stages.features.leaks import suspicious_columns
from patterns.fraud.stages.features.stream import FeatureStream
from patterns.fraud.stages.features.windows import compute
from patterns.fraud.stages.imbalance import suitable
from patterns.fraud.stages.models.base import Model
from patterns.fraud.stages.models.logistic import LogisticModel
from patterns.fraud.stages.models.xgboost import BoostedTrees, affordable_bins
from patterns.fraud.stages.rules import Rules
from patterns.fraud.stages.variant import Variant
from patterns.fraud.stages.variants import LOGISTIC, RULES, XGBOOST, load_variants, save_variants

PROFILE_ROWS = 100_000


class Pipeline:
    """Fraud detection from a table of payments to decisions about single ones.

    Learned attributes: `inputs_` (while it is trained), `served_`, `fallback_`, the windows in
    `stream_`, the numbers of ids in `identifiers_`, and an `example_` payment.
    """

    def __init__(
        self,
        *,
        features: FeatureSet,
        rules: Variant,
        models: Sequence[Variant],
        choice: Choice,
        alerts: int = 100,
        seed: int = 0,
    ) -> None:
        """`choice` is among the `rules` and `models`; `alerts` are the k of CP@k."""
        self.features = features
        self.rules, self.models, self.choice = rules, list(models), choice
        self.alerts, self.seed = alerts, seed
        self.notices: list[str] = []

    @classmethod
    def from_config(cls, config: Config, splits: Splits) -> Pipeline:
        """Make the unfitted stages for the columns of `splits`."""
        features = _features(config, splits)
        methods = suitable(gaps=bool(features.categories or features.optional))
        options, cost = config.model, config.decision.false_positive_cost
        policy = offered(config.decision.policy)[0]  # until the choice settles it

        def variant(name: str, model: Model, imbalance: str = "none") -> Variant:
            return Variant(
                name=name,
                model=model,
                calibration=Calibration(kind=options.calibration),
                decision=CostDecision(false_positive_cost=cost, policy=policy),
                imbalance=imbalance,
                seed=config.seed,
            )

        boosted = [variant(XGBOOST[method], _trees(config, features), method) for method in methods]
        return cls(
            features=features,
            rules=variant(RULES, Rules(names=features.names)),
            models=[variant(LOGISTIC, LogisticModel(codes=features.codes)), *boosted],
            choice=_choice(config, methods),
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
        self.notices += suspicious_columns(self.features, self.inputs_.train, splits.train.labels)
        return self

    def fit_choice(self, splits: Splits) -> Pipeline:
        """Judge what may be served over several expanding windows, before anything is fitted."""
        features = np.concatenate([self.inputs_.train, self.inputs_.valid])
        with as_flags(policy="decision.policy"):
            self.choice.fit(self.variants, features, splits.train.followed_by(splits.valid))
        return self

    def fit_rules(self, splits: Splits) -> Pipeline:
        """Fit the baseline, which is also the fallback unless it declines nearly everybody."""
        self._fit(self.rules, splits)
        return self

    def fit_models(self, splits: Splits) -> Pipeline:
        """Fit every model under every rebalancing; settle what serves, how, and what falls in."""
        for model in self.models:
            self._fit(model, splits)
        self.served_, said = self.choice.settle(self.variants)
        self.fallback_, notices = settle_fallback(
            self.served_, self.rules, self.models, self.inputs_.valid, splits.valid
        )
        self.notices += [*filter(None, [said]), *notices]
        return self

    def fit_state(self, splits: Splits) -> Pipeline:
        """Build the state of all windows after the last payment, for serving."""
        self.stream_ = FeatureStream.from_frame(self.features, splits.frame, start=splits.start)
        self.identifiers_ = Identifiers(splits.names)
        columns = [c for c in splits.frame.columns if c in self.features.columns | {"amount"}]
        self.example_ = splits.frame.select(columns).row(-1, named=True)
        return self

    def _fit(self, variant: Variant, splits: Splits) -> None:
        with as_flags(policy="decision.policy"):
            variant.fit(
                (self.inputs_.train, splits.train.labels),
                (self.inputs_.valid, splits.valid.labels),
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
        return answer(self.served_, self.fallback_, features, amounts)

    def reasons(self, features: np.ndarray) -> list[list[tuple[str, float, float]]]:
        """Return what raises the log-odds most: name, value, contribution; of rules nothing."""
        return self.served_.reasons(features, self.features.names)

    def profile(self, splits: Splits) -> pl.DataFrame:
        """Return a sample of the model's inputs and its answers, for drift monitoring."""
        kept = np.random.default_rng(self.seed).permutation(len(splits.train))[:PROFILE_ROWS]
        features = self.inputs_.train[kept]
        score = pl.Series("score", self.served_.probabilities(features))
        return pl.DataFrame(features, schema=list(self.features.names)).with_columns(score)

    def save(self, folder: Path) -> None:
        """Write the served model, rules, fallback and the features' state into `folder`."""
        names = save_variants((self.served_, self.fallback_, self.rules), folder)
        self.stream_.save(folder)
        values = {"alerts": self.alerts, "seed": self.seed, "notices": self.notices}
        values |= {"names": self.identifiers_.names, "example": self.example_}
        values |= {"variants": names, "served": self.served_.name}
        write_json(folder / "pipeline.json", values | {"fallback": self.fallback_.name})

    @classmethod
    def load(cls, folder: Path) -> Pipeline:
        """Read what `save` wrote; ready to `score`."""
        values = json.loads((folder / "pipeline.json").read_text(encoding="utf-8"))
        stream = FeatureStream.load(folder)
        kept = load_variants(values["variants"], folder)
        pipeline = cls(
            features=stream.features,
            rules=kept[RULES],
            models=[variant for name, variant in kept.items() if name != RULES],
            choice=Choice(candidates=[values["served"]]),
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
    with as_flags(kind="features.kind"):
        return allowed(
            splits.frame,
            train=splits.train.rows,
            kind=config.features.kind,
            delay=config.split.label_delay_days * DAY,
            calendar=splits.calendar,
            numbers=splits.numbers,
            categories=splits.categories,
        )


def _trees(config: Config, features: FeatureSet) -> BoostedTrees:
    options = config.model
    return BoostedTrees(
        trees=options.trees,
        depth=options.depth,
        learning_rate=options.learning_rate,
        min_child_weight=options.min_child_weight,
        bins=affordable_bins(options.bins, features=len(features.names)),
        patience=options.patience,
        threads=options.threads,
        codes=features.codes,
        seed=config.seed,
    )


def _choice(config: Config, methods: list[str]) -> Choice:
    """Return the choice among what the configuration lets be served; `methods` can be fitted."""
    options = config.model
    with as_flags(imbalance="model.imbalance"):
        names = servable(serve=options.serve, imbalance=options.imbalance, methods=methods)
    return Choice(
        candidates=names,
        policies=offered(config.decision.policy),
        folds=options.folds,
        delay=config.split.label_delay_days * DAY,
        seed=config.seed,
    )
