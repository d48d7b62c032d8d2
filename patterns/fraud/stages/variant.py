"""A model made ready to decide: its scores calibrated, its threshold chosen, both on validation.

    train -> rebalanced -> model -> scores -> calibration -> probabilities -> decision

Variants are what is compared and what is served: each way to train a model is one. Only training
rows are rebalanced; the calibration brings the probabilities back that rebalancing moved.

Shapes: `N` payments, `F` features.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from common.atomic import write_json
from common.evaluation.classification import average_precision
from patterns.fraud.stages.calibration import Calibration
from patterns.fraud.stages.decision import CostDecision
from patterns.fraud.stages.imbalance import rebalance
from patterns.fraud.stages.models.base import Examples, Model
from patterns.fraud.stages.models.logistic import LogisticModel
from patterns.fraud.stages.models.xgboost import BoostedTrees
from patterns.fraud.stages.rules import Rules

MODELS: dict[str, type[Model]] = {
    "rules": Rules,
    "logistic": LogisticModel,
    "xgboost": BoostedTrees,
}


class Variant:
    """Learned attribute: `valid_ap_`, average precision on validation."""

    def __init__(
        self,
        *,
        name: str,
        model: Model,
        calibration: Calibration,
        decision: CostDecision,
        imbalance: str = "none",
        seed: int = 0,
    ) -> None:
        """`imbalance` is the rebalancing of the training set, one of `imbalance.METHODS`."""
        self.name = name
        self.model: Any = model  # beyond `Model`: rules tell reasons, the others contributions
        self.calibration, self.decision = calibration, decision
        self.imbalance, self.seed = imbalance, seed

    def fit(
        self,
        train: Examples,
        valid: Examples,
        *,
        amounts: np.ndarray | None,
        weights: np.ndarray | None = None,
    ) -> Self:
        """Fit the model on `train`, and the rest on `valid`, whose payments have `amounts` (N,).

        Each of them stands for `weights` (N,) payments in calibration, costs and AP.
        """
        features, labels, balance = rebalance(*train, method=self.imbalance, seed=self.seed)
        self.model.fit((features, labels), valid, weights=balance)
        scores = self.model.predict(valid[0])
        self.calibration.fit(scores, valid[1], weights)
        self.decision.fit(self.calibration.transform(scores), valid[1], amounts, weights)
        self.valid_ap_ = average_precision(valid[1], scores, weights)
        return self

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Return the calibrated probability of fraud of each row (N,)."""
        return self.calibration.transform(self.model.predict(features))

    def reasons(
        self, features: np.ndarray, names: Sequence[str], *, most: int = 3
    ) -> list[list[tuple[str, float, float]]]:
        """Return what raises the log-odds of each row most: name, value, contribution.

        `names` are those of the features (N, F). Rules have reasons of their own, and none here.
        """
        if isinstance(self.model, Rules):
            return [[] for _ in features]
        added = self.model.contributions(features)  # (N, F)
        order = np.argsort(-added, axis=1)[:, :most]
        return [
            [(names[f], float(row[f]), float(by[f])) for f in top if by[f] > 0]
            for row, by, top in zip(features, added, order, strict=True)
        ]

    def save(self, folder: Path) -> None:
        """Write model, calibration and decision into `folder`."""
        for stage in (self.model, self.calibration, self.decision):
            stage.save(folder)
        kind = next(name for name, kind in MODELS.items() if type(self.model) is kind)
        values = {"name": self.name, "model": kind, "imbalance": self.imbalance, "seed": self.seed}
        write_json(folder / "variant.json", values | {"valid_ap": self.valid_ap_})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        values = json.loads((folder / "variant.json").read_text(encoding="utf-8"))
        valid_ap = values.pop("valid_ap")
        model = MODELS[values.pop("model")].load(folder)
        calibration, decision = Calibration.load(folder), CostDecision.load(folder)
        variant = cls(**values, model=model, calibration=calibration, decision=decision)
        variant.valid_ap_ = valid_ap
        return variant
