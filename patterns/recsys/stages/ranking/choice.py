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
from typing import TYPE_CHECKING, Any

import numpy as np

from common.atomic import write_json
from patterns.recsys.stages.ranking.cross_fit import cross_fit
from patterns.recsys.stages.ranking.deepfm import DeepFM
from patterns.recsys.stages.ranking.examples import Lessons
from patterns.recsys.stages.ranking.lightgbm import LightGBMRanker
from patterns.recsys.stages.ranking.objectives import OBJECTIVES, Objective, combine, pareto
from patterns.recsys.stages.ranking.wide_deep import WideDeep
from patterns.recsys.stages.ranking.xdeepfm import XDeepFM

if TYPE_CHECKING:
    from patterns.recsys.config import RankingOptions

NEURAL: dict[str, Any] = {each.name: each for each in (WideDeep, DeepFM, XDeepFM)}
WEIGHTS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 4.0)
CROSSES = (("gender", "genre likeness"), ("age", "year"), ("device", "minutes"), ("device", "hour"),
           ("votes", "als rank"), ("two-tower rank", "ease rank"))  # fmt: skip


class Ranking:
    """Fits rankers and scores candidates by the one that was best on validation."""

    def __init__(self, config: RankingOptions, *, items: int, device: str, seed: int) -> None:
        self.config = config
        self.second_weight = config.second_weight
        self.shared: dict[str, Any] = {"items": items, "device": device, "seed": seed}
        self.rankers: list[Any] = []
        self.ranker: Any = None
        self.second: LightGBMRanker | None = None

    def fit(
        self,
        judged: Lessons,
        learned: Lessons | None = None,
        *,
        names: Sequence[str],
        judge: Callable[[np.ndarray], float],
        checkpoints: Path | None = None,
        resume: bool = False,
    ) -> dict[str, float]:
        """Fit every ranker; returns what `judge` says of its held-out scores (B, K) of `judged`.

        They learn from `learned` where it is given; `names` are those of the features.
        """
        first, second = self._objectives(judged.worth)
        self.rankers = self._unfitted(first, names)
        keeping: dict[str, Any] = {"checkpoints": checkpoints, "resume": resume}
        held_out = {
            ranker.name: _cross_fitted(ranker, judged, learned, first, **keeping)
            for ranker in self.rankers
        }
        quality = {name: judge(scores) for name, scores in held_out.items()}
        self.ranker = max(self.rankers, key=lambda ranker: quality[ranker.name])
        self.held_out_ = held_out[self.ranker.name]
        self.pareto_: list[Any] = []
        if second is not None:
            self._fit_second(judged, learned, second)
        return quality

    def _fit_second(self, judged: Lessons, learned: Lessons | None, objective: Objective) -> None:
        """Fit the ranker of the second objective and draw the curve between the two."""
        self.second = LightGBMRanker(objective=objective, **self._tree_options())
        theirs = _cross_fitted(self.second, judged, learned, objective)
        scores = {"first": self.held_out_, "second": theirs}
        weightings = [{"first": 1.0, "second": weight} for weight in WEIGHTS]
        self.pareto_ = pareto(scores, weightings, judged.under(objective))
        if self.second_weight:
            self.held_out_ = _weighed(scores, self.second_weight)

    def _objectives(self, worth: Mapping[str, np.ndarray]) -> tuple[Objective, Objective | None]:
        """Return the objectives to learn; "auto" takes a second one where its values are known."""
        first: Objective = self.config.objective
        second = self.config.second
        if second == "watch" or second == "rating":
            if not _usable(worth.get(second, np.zeros(0))):
                raise ValueError(
                    f"ranking.second: {second} needs values that are known, none below 0, of what"
                    " was taken, and there are none; use --ranking.second none"
                )
            return first, second
        if second == "none":
            return first, None
        others = [name for name in OBJECTIVES if name in worth and name != first]
        known = [name for name in others if _usable(worth[name])]
        return first, known[0] if known else None

    def _unfitted(self, objective: Objective, names: Sequence[str]) -> list[Any]:
        """Make the rankers that the configuration asks for."""
        columns = list(names)
        crosses = [(columns.index(a), columns.index(b)) for a, b in CROSSES if {a, b} <= {*names}]
        neural = {
            "objective": objective,
            "epochs": self.config.epochs,
            "negative_share": self.config.negative_share,
            **self.shared,
        }
        made: list[Any] = [
            LightGBMRanker(objective=objective, **self._tree_options()),
            WideDeep(crosses=crosses, **neural),
            DeepFM(**neural),
            XDeepFM(maps=(8, 8), **neural),
        ]
        return [each for each in made if self.config.model in ("best", each.name)]

    def _tree_options(self) -> dict[str, Any]:
        return {
            "trees": self.config.trees,
            "leaves": self.config.leaves,
            "learning_rate": self.config.learning_rate,
            "negative_share": self.config.negative_share,
            "seed": self.shared["seed"],
        }

    def score(self, features: np.ndarray, item_ids: np.ndarray, ranker: Any = None) -> np.ndarray:
        """Score candidates (B, K) of `features` (B, K, F), by one `ranker` alone where given."""
        scores: np.ndarray = (ranker or self.ranker).score(features, item_ids)
        if self.second is None or not self.second_weight or ranker is not None:
            return scores
        both = {"first": scores, "second": self.second.score(features, item_ids)}
        return _weighed(both, self.second_weight)

    def save(self, folder: Path) -> None:
        """Write the ranker that serves and, where it has a weight, the second objective's."""
        self.ranker.save(folder)
        if self.second is not None and self.second_weight:
            (folder / "second").mkdir()
            self.second.save(folder / "second")
        weight = self.second_weight if self.second is not None else 0.0
        settings = {"ranker": self.ranker.name, "second_weight": weight}
        write_json(folder / "ranking.json", settings)

    def load(self, folder: Path) -> Ranking:
        """Read what `save` wrote."""
        settings = json.loads((folder / "ranking.json").read_text(encoding="utf-8"))
        name = settings["ranker"]
        made = NEURAL[name](items=self.shared["items"]) if name in NEURAL else LightGBMRanker()
        self.ranker = made.load(folder)
        self.rankers = [self.ranker]
        self.second_weight = settings["second_weight"]
        if self.second_weight:
            self.second = LightGBMRanker().load(folder / "second")
        return self


def _cross_fitted(
    ranker: Any, judged: Lessons, learned: Lessons | None, objective: Objective, **keeping: Any
) -> np.ndarray:
    lessons = (learned.under(objective), learned.folds) if learned else None
    examples = judged.under(objective)
    return cross_fit(ranker, examples, judged.folds, learned=lessons, **keeping)


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
