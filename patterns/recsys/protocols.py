"""Published protocols, run to the letter, so that our models stand beside those of the literature.

ncf-ml1m             MovieLens 1M as He et al. (WWW 2017) cut it: of every user the latest item is
                     held out and ranked among 99 given items the user never took. The metrics are
                     of a sample of the catalogue, so they compare models with others of this
                     protocol and say nothing of a page (Krichene & Rendle, KDD 2020).
                     Published: Ferrari Dacrema et al., TOIS 2021, table 55; the last: Rendle et
                     al., RecSys 2020.
recommenders-ml100k  MovieLens 100K, of every user a random quarter held out, the whole catalogue
                     ranked without what the user has. Published: README of Microsoft Recommenders.

A random cut lets the future teach about the past: the temporal split of `data` is the one that
tells what a service would do. Hyperparameters below were chosen on a validation part cut out of the
training part in the protocol's own way; the blend's weight is chosen so in every run.

Shapes: `U` users, `N` items, `K` candidates.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from common.evaluation import ranking
from common.evaluation.regression import rmse
from common.evaluation.report import Row, Table
from common.retrieval import MISSING, ordered
from patterns.recsys.entities.requests import RECENT, Requests
from patterns.recsys.stages.candidates.als import ALS
from patterns.recsys.stages.candidates.item_item import EASE, ItemKNN
from patterns.recsys.stages.candidates.popularity import Popularity

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from data.tables import Interactions

DATASETS = {"ncf-ml1m": "movielens-1m", "recommenders-ml100k": "movielens-100k"}
NAMES = tuple(DATASETS)
AT = 10
HELD_OUT = 0.25  # of each user's items, recommenders-ml100k
NEGATIVES = 99
WEIGHTS = np.linspace(0.0, 1.0, 11)  # of ALS in the blend with EASE

NCF_PUBLISHED = {
    "TopPop": (0.4533, 0.2542),
    "ItemKNN": (0.6694, 0.3979),
    "NeuMF": (0.7093, 0.4349),
    "iALS": (0.7109, 0.4382),
    "EASE": (0.7192, 0.4494),
    "tuned MF": (0.7294, 0.4523),
}
RECOMMENDERS_PUBLISHED = {
    "ALS": (0.005, 0.044, 0.049, 0.018),
    "SAR": (0.111, 0.382, 0.331, 0.176),
    "BPR": (0.132, 0.442, 0.388, 0.213),
    "BiVAE": (0.146, 0.475, 0.412, 0.219),
}
RMSE_PUBLISHED = {"embdotbias": 0.993, "ALS": 0.965, "SVD": 0.939}


@dataclass(frozen=True)
class Problem:
    """What is known, what may be ranked, and what is right."""

    seen: csr_matrix  # (U, N)
    candidates: np.ndarray  # (U, K), -1 padded
    answers: csr_matrix | None  # (U, N); None where the last candidate is the only answer

    def judge(self, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return relevance (U, 10) of the best by `scores` (U, K), and the answers' number (U,).

        A single answer loses ties. Its rank is counted, not looked up, because the published
        negatives hold some items twice.
        """
        if self.answers is None:
            above = (scores[:, :-1] >= scores[:, -1:]).sum(axis=1)
            return (above[:, None] == np.arange(AT)).astype(float), np.ones(len(above), np.int64)
        found = ordered(self.candidates, scores).item_ids[:, :AT]
        judged = ranking.judge(found, self.answers)
        return judged.relevance, judged.total_relevant


def run(name: str, table: Interactions, *, seed: int = 0) -> list[Table]:
    """Run a protocol of `NAMES` on the dataset that it is defined on."""
    if name not in DATASETS:
        raise ValueError(f"protocol: {name!r} is not known; give one of {', '.join(NAMES)}")
    if table.source.name != DATASETS[name]:
        raise ValueError(
            f"dataset: protocol {name!r} is defined on {DATASETS[name]}, not on"
            f" {table.source.name}; leave --dataset out"
        )
    make = ncf if name == "ncf-ml1m" else random_quarter
    columns, published, models = _SETTINGS[name]
    valid, test = make(table, seed)
    scores = {}
    for model_name, model in models(seed).items():
        scores[model_name] = _scores(model, valid), _scores(model, test)
    scores["als + ease"], weight = _blend(scores["als"], scores["ease"], valid)
    rows = [
        Row(
            model,
            dict(zip(columns, _metrics(name, found, test), strict=True)),
            baseline=model == "popularity",
        )
        for model, (_, found) in scores.items()
    ]
    rows += [
        Row(f"{model}, published", dict(zip(columns, values, strict=True)))
        for model, values in published.items()
    ]
    caption = (
        f"{len(test.candidates):,} users. The blend adds standardised scores, {weight:.1f} of ALS's"
        f" and {1 - weight:.1f} of EASE's, chosen on a validation cut of the training part."
    )
    tables = [Table(name, columns, tuple(rows), caption)]
    if name == "recommenders-ml100k":
        tables.append(_ratings(table, test))
    return tables


def _ratings(table: Interactions, test: Problem) -> Table:
    """Predict the ratings of the pairs that the same cut holds out."""
    from patterns.recsys.stages.ranking.biased_mf import BiasedMF

    assert test.answers is not None
    values = _matrix(table.interactions, table.items["item_id"], table.interactions["rating"])
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
    rows += [Row(f"{name}, published", {"RMSE": value}) for name, value in RMSE_PUBLISHED.items()]
    return Table("held-out ratings", ("RMSE",), tuple(rows), f"{len(wanted):,} ratings.")


def ncf(table: Interactions, seed: int) -> tuple[Problem, Problem]:
    """Return validation and test of leave-one-out with 99 negatives; validation's are drawn."""
    missing = {"ncf_test", "ncf_negatives"} - set(table.extra)
    if missing:
        raise ValueError(f"{table.source.name}: no {sorted(missing)[0]}; fetch its NCF files too")
    items = table.interactions["item_id"].unique(maintain_order=True)
    taken = _matrix(table.interactions, items)
    test, negatives = table.extra["ncf_test"], table.extra["ncf_negatives"]
    held = _codes(test["item_id"], items)[np.argsort(_rows(test))]
    given = _codes(negatives["item_ids"].explode(), items).reshape(len(held), -1)
    given = given[np.argsort(_rows(negatives))]
    known = _without(taken, held)
    rng = np.random.default_rng(seed)
    starts, counts = known.indptr[:-1], np.diff(known.indptr)
    drawn = known.indices[starts + rng.integers(counts)]
    others = _unseen(taken, rng)
    return (
        Problem(_without(known, drawn), _answer_last(others, drawn), None),
        Problem(known, _answer_last(given, held), None),
    )


def random_quarter(table: Interactions, seed: int) -> tuple[Problem, Problem]:
    """Return validation and test, each a random quarter of what was known of every user."""
    items = table.items["item_id"]
    taken = _matrix(table.interactions, items)
    rng = np.random.default_rng(seed)
    known, held = _cut(taken, rng)
    inner, inner_held = _cut(known, rng)
    return _whole(inner, inner_held), _whole(known, held)


def _matrix(
    interactions: pl.DataFrame, items: pl.Series, values: pl.Series | None = None
) -> csr_matrix:
    """Return 1, or `values`, for each pair of users, numbered by their ids less 1, and `items`."""
    from scipy.sparse import csr_matrix

    rows, columns = _rows(interactions), _codes(interactions["item_id"], items)
    cells = np.ones(len(rows)) if values is None else values.to_numpy()
    shape = (int(rows.max()) + 1, len(items))
    return csr_matrix((cells.astype(np.float32), (rows, columns)), shape=shape)


def _rows(frame: pl.DataFrame) -> np.ndarray:
    return frame["user_id"].cast(pl.Int64).to_numpy() - 1


def _codes(values: pl.Series, items: pl.Series) -> np.ndarray:
    codes = pl.DataFrame({"item": items}).with_row_index("code")
    frame = pl.DataFrame({"item": values}).join(codes, on="item", how="left", maintain_order="left")
    return frame["code"].to_numpy().astype(np.int64)


def _without(matrix: csr_matrix, columns: np.ndarray) -> csr_matrix:
    """Take one column (U,) out of each row."""
    left = matrix - _one_each(columns, matrix.shape[1])
    left.eliminate_zeros()
    return left.tocsr()


def _one_each(columns: np.ndarray, width: int) -> csr_matrix:
    from scipy.sparse import csr_matrix

    ones = np.ones(len(columns), dtype=np.float32)
    return csr_matrix((ones, (np.arange(len(columns)), columns)), shape=(len(columns), width))


def _unseen(taken: csr_matrix, rng: np.random.Generator) -> np.ndarray:
    """Draw `NEGATIVES` items (U, 99) that each user never took, without repeats."""
    keys = rng.random(taken.shape)
    keys[taken.nonzero()] = np.inf
    return np.argpartition(keys, NEGATIVES, axis=1)[:, :NEGATIVES]


def _answer_last(others: np.ndarray, answers: np.ndarray) -> np.ndarray:
    return np.concatenate([others, answers[:, None]], axis=1)


def _cut(taken: csr_matrix, rng: np.random.Generator) -> tuple[csr_matrix, csr_matrix]:
    """Hold out a random `HELD_OUT` of each row, rounded."""
    rows = np.repeat(np.arange(taken.shape[0]), np.diff(taken.indptr))
    order = np.lexsort((rng.random(taken.nnz), rows))
    places = np.arange(taken.nnz) - taken.indptr[rows]
    held = np.zeros(taken.nnz, dtype=bool)
    held[order] = places < np.round(HELD_OUT * np.diff(taken.indptr))[rows]
    parts = []
    for mask in (~held, held):
        part = taken.copy()
        part.data = part.data * mask
        part.eliminate_zeros()
        parts.append(part)
    return parts[0], parts[1]


def _whole(seen: csr_matrix, answers: csr_matrix) -> Problem:
    """Rank all that a user does not have."""
    candidates = np.tile(np.arange(seen.shape[1]), (seen.shape[0], 1))
    candidates[seen.nonzero()] = MISSING
    return Problem(seen, candidates, answers)


def _scores(model: Any, problem: Problem) -> np.ndarray:
    """Fit on what is known and score the candidates: (U, K)."""
    users, items = problem.seen.shape
    if isinstance(model, Popularity):
        model.fit(problem.seen.indices, np.zeros(problem.seen.nnz), items)
    else:
        model.fit(problem.seen)
    nobody = np.zeros((users, 1), dtype=np.int64)
    recent = np.full((users, RECENT), MISSING)
    requests = Requests(nobody, np.zeros(users, np.int64), recent, problem.seen)
    found: np.ndarray = model.score(requests, problem.candidates)
    return found


def _blend(
    als: tuple[np.ndarray, np.ndarray], ease: tuple[np.ndarray, np.ndarray], valid: Problem
) -> tuple[tuple[np.ndarray, np.ndarray], float]:
    """Add the standardised scores by the weight of the largest NDCG@10 on validation."""
    pairs = [(_standardised(a), _standardised(e)) for a, e in zip(als, ease, strict=True)]

    def mixed(place: int, weight: float) -> np.ndarray:
        return weight * pairs[place][0] + (1 - weight) * pairs[place][1]

    quality = [_ndcg(mixed(0, weight), valid).mean() for weight in WEIGHTS]
    weight = float(WEIGHTS[int(np.argmax(quality))])
    return (mixed(0, weight), mixed(1, weight)), weight


def _standardised(scores: np.ndarray) -> np.ndarray:
    centred = scores - scores.mean(axis=1, keepdims=True)
    return centred / np.maximum(centred.std(axis=1, keepdims=True), 1e-9)


def _ndcg(scores: np.ndarray, problem: Problem) -> np.ndarray:
    relevance, total = problem.judge(scores)
    return ranking.ndcg(relevance, total, AT)


def _metrics(name: str, scores: np.ndarray, problem: Problem) -> list[float]:
    relevance, total = problem.judge(scores)
    ndcg, recall = _ndcg(scores, problem), ranking.recall(relevance, total, AT)
    if name == "ncf-ml1m":
        return [float(recall.mean()), float(ndcg.mean())]
    found = (
        ranking.average_precision(relevance, total, AT),
        ndcg,
        ranking.precision(relevance, AT),
        recall,
    )
    return [float(values.mean()) for values in found]


def _ncf_models(seed: int) -> dict[str, Any]:
    return {
        "popularity": Popularity(half_life_days=np.inf),
        "item-knn": ItemKNN(neighbours=300, shrinkage=50),
        "ease": EASE(regularization=1000, neighbours=None),
        "als": ALS(factors=192, regularization=60, confidence=8, iterations=12, seed=seed),
    }


def _recommenders_models(seed: int) -> dict[str, Any]:
    return {
        "popularity": Popularity(half_life_days=np.inf),
        "item-knn": ItemKNN(neighbours=300, shrinkage=50),
        "ease": EASE(regularization=800, neighbours=None),
        "als": ALS(factors=64, regularization=20, confidence=2, iterations=15, seed=seed),
    }


Setting = tuple[tuple[str, ...], dict[str, tuple[float, ...]], Callable[[int], dict[str, Any]]]
_SETTINGS: dict[str, Setting] = {
    "ncf-ml1m": (("HR@10", "NDCG@10"), {**NCF_PUBLISHED}, _ncf_models),
    "recommenders-ml100k": (
        ("MAP", "nDCG@10", "P@10", "R@10"),
        {**RECOMMENDERS_PUBLISHED},
        _recommenders_models,
    ),
}
