"""Published protocols, run to the letter, so that our models stand beside those of the literature.

A random cut lets the future teach about the past: the temporal split of `data` is the one that
tells what a service would do. Hyperparameters below were chosen on a validation part cut out of the
training part in the protocol's own way (`evaluation/cuts`); the blend's weight is chosen so in
every run.

Shapes: `U` users, `N` items, `K` candidates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from common.evaluation import ranking
from common.evaluation.regression import rmse
from common.evaluation.report import Row, Table
from patterns.recsys.config import Config
from patterns.recsys.evaluation.cuts import AT, Problem, leave_one_out, matrix_of, random_quarter
from patterns.recsys.stages.candidates.als import ALS
from patterns.recsys.stages.candidates.item_item import EASE, ItemKNN
from patterns.recsys.stages.candidates.popularity import Popularity
from patterns.recsys.stages.ranking.biased_mf import BiasedMF

if TYPE_CHECKING:
    from data.tables import Interactions

WEIGHTS = np.linspace(0.0, 1.0, 11)  # of ALS in the blend with EASE
Metrics = tuple[float, ...]


@dataclass(frozen=True)
class NCF:
    """MovieLens 1M as He et al. (WWW 2017) cut it: the latest item among 99 given ones.

    The metrics are of a sample of the catalogue, so they compare models with others of this
    protocol and say nothing of a page (Krichene & Rendle, KDD 2020). Published: Ferrari Dacrema et
    al., TOIS 2021, table 55; the last: Rendle et al., RecSys 2020.
    """

    name: ClassVar[str] = "ncf-ml1m"
    dataset: ClassVar[str] = "movielens-1m"
    columns: ClassVar[tuple[str, ...]] = ("HR@10", "NDCG@10")
    published: ClassVar[dict[str, Metrics]] = {
        "TopPop": (0.4533, 0.2542),
        "ItemKNN": (0.6694, 0.3979),
        "NeuMF": (0.7093, 0.4349),
        "iALS": (0.7109, 0.4382),
        "EASE": (0.7192, 0.4494),
        "tuned MF": (0.7294, 0.4523),
    }

    def run(self, table: Interactions, config: Config) -> list[Table]:
        """Return our models beside the published ones."""
        valid, test = leave_one_out(table, config.seed)
        models = {
            **_baselines(neighbours=50, shrinkage=0),
            "ease": EASE(regularization=1000, neighbours=None),
            "als": ALS(factors=192, regularization=60, confidence=8, iterations=12,
                       seed=config.seed),
        }  # fmt: skip
        return [_compared(self, models, valid, test)]

    def metrics(self, scores: np.ndarray, problem: Problem) -> Metrics:
        """Return the columns of one model's scores (U, K)."""
        relevance, total = problem.judge(scores)
        hits = ranking.recall(relevance, total, AT)
        return float(hits.mean()), float(problem.ndcg(scores).mean())


@dataclass(frozen=True)
class Recommenders:
    """MovieLens 100K, of every user a random quarter held out, the whole catalogue ranked.

    Published: README of Microsoft Recommenders.
    """

    name: ClassVar[str] = "recommenders-ml100k"
    dataset: ClassVar[str] = "movielens-100k"
    columns: ClassVar[tuple[str, ...]] = ("MAP", "nDCG@10", "P@10", "R@10")
    published: ClassVar[dict[str, Metrics]] = {
        "ALS": (0.005, 0.044, 0.049, 0.018),
        "SAR": (0.111, 0.382, 0.331, 0.176),
        "BPR": (0.132, 0.442, 0.388, 0.213),
        "BiVAE": (0.146, 0.475, 0.412, 0.219),
    }
    published_rmse: ClassVar[dict[str, float]] = {"embdotbias": 0.993, "ALS": 0.965, "SVD": 0.939}

    def run(self, table: Interactions, config: Config) -> list[Table]:
        """Return our models beside the published ones, in ranking and in ratings."""
        valid, test = random_quarter(table, config.seed)
        models = {
            **_baselines(neighbours=300, shrinkage=50),
            "ease": EASE(regularization=800, neighbours=None),
            "als": ALS(factors=64, regularization=20, confidence=2, iterations=15,
                       seed=config.seed),
        }  # fmt: skip
        return [_compared(self, models, valid, test), self._ratings(table, test)]

    def metrics(self, scores: np.ndarray, problem: Problem) -> Metrics:
        """Return the columns of one model's scores (U, K)."""
        relevance, total = problem.judge(scores)
        found = (
            ranking.average_precision(relevance, total, AT),
            problem.ndcg(scores),
            ranking.precision(relevance, AT),
            ranking.recall(relevance, total, AT),
        )
        return tuple(float(values.mean()) for values in found)

    def _ratings(self, table: Interactions, test: Problem) -> Table:
        """Predict the ratings of the pairs that the same cut holds out."""
        assert test.answers is not None
        ratings = table.interactions["rating"]
        values = matrix_of(table.interactions, table.items["item_id"], ratings)
        (users, items), held = test.seen.nonzero(), test.answers.nonzero()
        known, wanted = (np.asarray(values[pair]).ravel() for pair in ((users, items), held))
        predicted = {
            "global mean": np.full(len(wanted), known.mean()),
            "biased MF": BiasedMF().fit(users, items, known, shape=values.shape).predict(*held),
        }
        rows = [
            Row(name, {"RMSE": rmse(wanted, found)}, baseline=not place)
            for place, (name, found) in enumerate(predicted.items())
        ]
        for name, value in self.published_rmse.items():
            rows.append(Row(f"{name}, published", {"RMSE": value}))
        return Table("held-out ratings", ("RMSE",), tuple(rows), f"{len(wanted):,} ratings.")


Protocol = NCF | Recommenders
PROTOCOLS: dict[str, Protocol] = {each.name: each for each in (NCF(), Recommenders())}


def run(name: str, table: Interactions, config: Config) -> list[Table]:
    """Run a protocol of `PROTOCOLS` on the dataset that it is defined on."""
    if name not in PROTOCOLS:
        raise ValueError(f"protocol: {name!r} is not known; give one of {', '.join(PROTOCOLS)}")
    protocol = PROTOCOLS[name]
    if table.source.name != protocol.dataset:
        raise ValueError(
            f"dataset: protocol {name!r} is defined on {protocol.dataset}, not on"
            f" {table.source.name}; leave --dataset out"
        )
    return protocol.run(table, config)


def _baselines(*, neighbours: int, shrinkage: float) -> dict[str, Any]:
    knn = ItemKNN(neighbours=neighbours, shrinkage=shrinkage)
    return {"popularity": Popularity(), "item-knn": knn}


def _compared(protocol: Protocol, models: dict[str, Any], valid: Problem, test: Problem) -> Table:
    """Return the models, the blend of ALS and EASE, and the published figures."""
    scores = {name: (_scores(model, valid), _scores(model, test)) for name, model in models.items()}
    scores["als + ease"], weight = _blend(scores["als"], scores["ease"], valid)
    rows = []
    for name, (_, found) in scores.items():
        cells = dict(zip(protocol.columns, protocol.metrics(found, test), strict=True))
        rows.append(Row(name, dict(cells), baseline=name == "popularity"))
    for name, values in protocol.published.items():
        rows.append(Row(f"{name}, published", dict(zip(protocol.columns, values, strict=True))))
    caption = (
        f"{len(test.candidates):,} users. The blend adds standardised scores, {weight:.1f} of ALS's"
        f" and {1 - weight:.1f} of EASE's, chosen on a validation cut of the training part."
    )
    return Table(protocol.name, protocol.columns, tuple(rows), caption)


def _scores(model: Any, problem: Problem) -> np.ndarray:
    """Fit on what is known and score the candidates: (U, K)."""
    found: np.ndarray = model.fit_matrix(problem.seen).score(problem.requests(), problem.candidates)
    return found


def _blend(
    als: tuple[np.ndarray, np.ndarray], ease: tuple[np.ndarray, np.ndarray], valid: Problem
) -> tuple[tuple[np.ndarray, np.ndarray], float]:
    """Add the standardised scores by the weight of the largest NDCG@10 on validation."""
    pairs = [(_standardised(a), _standardised(e)) for a, e in zip(als, ease, strict=True)]

    def mixed(place: int, weight: float) -> np.ndarray:
        return weight * pairs[place][0] + (1 - weight) * pairs[place][1]

    quality = [valid.ndcg(mixed(0, weight)).mean() for weight in WEIGHTS]
    weight = float(WEIGHTS[int(np.argmax(quality))])
    return (mixed(0, weight), mixed(1, weight)), weight


def _standardised(scores: np.ndarray) -> np.ndarray:
    centred = scores - scores.mean(axis=1, keepdims=True)
    return centred / np.maximum(centred.std(axis=1, keepdims=True), 1e-9)
