"""The ranking stage: rankers side by side, the best of them served, a second objective weighed in.

    LightGBM, Wide & Deep, DeepFM, xDeepFM      all on the same examples, judged on users held out
    score = first objective + weight * second   both standardised within a request

The second objective (watch time where it is known, else the rating) has a ranker of its own. With
weight 0 it only draws the curve of what it would cost; the weight is a product decision.

Shapes: `B` requests, `K` candidates, `F` features.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from common.atomic import write_json
from patterns.recsys.stages.ranking.cross_fit import cross_fit
from patterns.recsys.stages.ranking.deepfm import DeepFM
from patterns.recsys.stages.ranking.examples import TrainingSet
from patterns.recsys.stages.ranking.lightgbm import LightGBMRanker
from patterns.recsys.stages.ranking.objectives import (
    OBJECTIVES,
    Objective,
    Point,
    combine,
    pareto,
)
from patterns.recsys.stages.ranking.wide_deep import WideDeep
from patterns.recsys.stages.ranking.xdeepfm import XDeepFM

MODELS = ("lightgbm", "wide-deep", "deepfm", "xdeepfm")
NEURAL: dict[str, Any] = {each.name: each for each in (WideDeep, DeepFM, XDeepFM)}
WEIGHTS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 4.0)
CROSSES = (("gender", "genre similarity"), ("age", "year"), ("device", "minutes"),
           ("device", "hour"), ("votes", "als rank"), ("two-tower rank", "ease rank"))  # fmt: skip


class Ranking:
    """Fits rankers and scores candidates by the one that was best on validation.

    `models` are fitted side by side; with `second` "auto" the second objective is what the data
    knows, and `second_weight` weighs it when serving.
    """

    def __init__(
        self,
        *,
        items: int,
        models: Sequence[str] = MODELS,
        objective: Objective = "ctr",
        second: Objective | Literal["auto", "none"] = "auto",
        second_weight: float = 0.5,
        trees: int = 300,
        leaves: int = 15,
        learning_rate: float = 0.05,
        epochs: int = 4,
        negative_share: float = 0.125,
        device: str = "auto",
        seed: int = 0,
    ) -> None:
        self.items = items
        self.models = tuple(models)
        self.objective: Objective = objective
        self.second_objective = second
        self.second_weight = second_weight
        self.trees = {"trees": trees, "leaves": leaves, "learning_rate": learning_rate}
        self.networks = {"epochs": epochs, "device": device}
        self.shared = {"negative_share": negative_share, "seed": seed}
        self.rankers_: list[Any] = []
        self.ranker_: Any = None
        self.second_: LightGBMRanker | None = None
        self.pareto_: list[Point] = []

    def fit(
        self,
        judged: TrainingSet,
        learned: TrainingSet | None = None,
        *,
        names: Sequence[str],
        judge: Callable[[np.ndarray], float],
        checkpoints: Path | None = None,
        resume: bool = False,
    ) -> Ranking:
        """Fit every ranker; they learn from `learned` where it is given, else from `judged`.

        `judge` says how good scores (B, K) of `judged` by rankers that had not seen the user are:
        `quality_` keeps that of each ranker, and `held_out_scores_` are those of the one that
        serves, the second objective weighed in. `names` are those of the features; `inputs_` are
        the features that were learned from.
        """
        self.inputs_ = (learned or judged).examples.flat().features
        second = self._second_objective(judged.worth)
        self.rankers_ = self._unfitted(names)
        keeping: dict[str, Any] = {"checkpoints": checkpoints, "resume": resume}
        held_out = {
            ranker.name: _cross_fitted(ranker, judged, learned, self.objective, **keeping)
            for ranker in self.rankers_
        }
        self.quality_ = {name: judge(scores) for name, scores in held_out.items()}
        self.ranker_ = max(self.rankers_, key=lambda ranker: self.quality_[ranker.name])
        self.held_out_scores_ = held_out[self.ranker_.name]
        self.second_, self.pareto_ = None, []
        if second is not None:
            self._fit_second(judged, learned, second)
        return self

    def _fit_second(
        self, judged: TrainingSet, learned: TrainingSet | None, objective: Objective
    ) -> None:
        """Fit the ranker of the second objective and draw the curve between the two."""
        self.second_ = self._forest(objective)
        theirs = _cross_fitted(self.second_, judged, learned, objective)
        scores = {"first": self.held_out_scores_, "second": theirs}
        weightings = [{"first": 1.0, "second": weight} for weight in WEIGHTS]
        self.pareto_ = pareto(scores, weightings, judged.under(objective))
        if self.second_weight:
            self.held_out_scores_ = _weighed(scores, self.second_weight)

    def _second_objective(self, worth: Mapping[str, np.ndarray]) -> Objective | None:
        """Return the second objective; "auto" takes the first other one whose values are known."""
        second = self.second_objective
        if second == "watch" or second == "rating":
            if not _usable(worth.get(second, np.zeros(0))):
                raise ValueError(
                    f"second: {second} needs values that are known, none below 0, of what was"
                    " clicked, and there are none; use none"
                )
            return second
        if second == "none":
            return None
        others = [name for name in OBJECTIVES if name in worth and name != self.objective]
        return next((name for name in others if _usable(worth[name])), None)

    def _unfitted(self, names: Sequence[str]) -> list[Any]:
        """Return the rankers; crosses are of those features that there are."""
        columns = list(names)
        crosses = [(columns.index(a), columns.index(b)) for a, b in CROSSES if {a, b} <= {*names}]
        neural: dict[str, Any] = {
            "categories": (self.items,), "objective": self.objective,
            **self.networks, **self.shared,
        }  # fmt: skip
        made: list[Any] = [
            self._forest(self.objective),
            WideDeep(crosses=crosses, **neural),
            DeepFM(**neural),
            XDeepFM(maps=(8, 8), **neural),
        ]
        return [each for each in made if each.name in self.models]

    def _forest(self, objective: Objective) -> LightGBMRanker:
        options: dict[str, Any] = {**self.trees, **self.shared}
        return LightGBMRanker(objective=objective, **options)

    def score(self, features: np.ndarray, item_ids: np.ndarray, ranker: Any = None) -> np.ndarray:
        """Score candidates (B, K) of `features` (B, K, F), by one `ranker` alone where given."""
        codes, real = item_ids[..., None], item_ids >= 0
        scores: np.ndarray = (ranker or self.ranker_).score(features, codes, real)
        if self.second_ is None or not self.second_weight or ranker is not None:
            return scores
        both = {"first": scores, "second": self.second_.score(features, codes, real)}
        return _weighed(both, self.second_weight)

    def save(self, folder: Path) -> None:
        """Write the ranker that serves and, where it has a weight, the second objective's."""
        self.ranker_.save(folder)
        if self.second_ is not None and self.second_weight:
            (folder / "second").mkdir()
            self.second_.save(folder / "second")
        weight = self.second_weight if self.second_ is not None else 0.0
        settings = {"ranker": self.ranker_.name, "second_weight": weight, "items": self.items}
        write_json(folder / "ranking.json", settings)

    @classmethod
    def load(cls, folder: Path) -> Ranking:
        """Read what `save` wrote."""
        settings = json.loads((folder / "ranking.json").read_text(encoding="utf-8"))
        name, weight = settings["ranker"], settings["second_weight"]
        ranking = cls(items=settings["items"], models=(name,), second_weight=weight)
        ranking.ranker_ = NEURAL.get(name, LightGBMRanker).load(folder)
        ranking.rankers_ = [ranking.ranker_]
        if weight:
            ranking.second_ = LightGBMRanker.load(folder / "second")
        return ranking


def _cross_fitted(
    ranker: Any,
    judged: TrainingSet,
    learned: TrainingSet | None,
    objective: Objective,
    **keeping: Any,
) -> np.ndarray:
    own = (learned.under(objective), learned.folds) if learned else None
    examples = judged.under(objective)
    return cross_fit(ranker, examples, judged.folds, learned=own, **keeping)


def _weighed(scores: dict[str, np.ndarray], weight: float) -> np.ndarray:
    """Weigh scores (B, K) of the two objectives, and give them in the first one's unit.

    The order is that of the standardised sum; the unit matters to what weighs scores as logits.
    """
    combined = combine(scores, {"first": 1.0, "second": weight})
    first = np.where(np.isneginf(combined), np.nan, scores["first"])
    known = ~np.isnan(first)
    count = np.maximum(known.sum(axis=1, keepdims=True), 1)
    mean = np.where(known, first, 0.0).sum(axis=1, keepdims=True) / count
    spread = np.sqrt(np.where(known, (first - mean) ** 2, 0.0).sum(axis=1, keepdims=True) / count)
    return np.where(known, mean + spread * np.where(known, combined, 0.0), -np.inf)


def _usable(values: np.ndarray) -> bool:
    """Return whether values can be weighed: some are known and none is negative."""
    known = values[~np.isnan(values)]
    return bool(len(known)) and bool(known.min() >= 0) and bool(known.max() > 0)
