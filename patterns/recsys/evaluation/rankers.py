"""How good is each ranker, on the same candidates, and how wrong is a predicted rating?"""

from __future__ import annotations

from typing import Any

import numpy as np

from common.evaluation.regression import rmse
from common.evaluation.report import Row, Table
from common.retrieval import ordered
from patterns.recsys.data import Splits
from patterns.recsys.evaluation.asked import Asked
from patterns.recsys.evaluation.scorer import Scorer
from patterns.recsys.pipeline import Pipeline
from patterns.recsys.stages.ranking.biased_mf import BiasedMF


def rankers_table(pipeline: Pipeline, asked: Asked, scorer: Scorer) -> Table:
    """Return the rankers side by side."""
    item_ids, ranking = asked.merged.candidates.item_ids, pipeline.ranking
    rows = []
    for ranker in ranking.rankers_:
        ranked = ordered(item_ids, ranking.score(asked.features, item_ids, ranker))
        chosen = " (chosen)" if ranker is ranking.ranker_ else ""
        rows.append(scorer.row(ranker.name + chosen, ranked))
    caption = "Each alone; one was chosen on validation users, not here."
    if ranking.second_ is not None:
        caption += f" To its score the served list adds {ranking.second_weight:g} of the second's."
    known = {name for row in rows for name, value in row.values.items() if value is not None}
    columns = tuple(name for name in scorer.columns if name in known)
    return Table("rankers", columns, tuple(rows), caption)


def ratings_table(splits: Splits) -> Table | None:
    """Return the error of predicted ratings on the test window; None where nothing was rated."""
    past = splits.train.joined(splits.valid)
    known, asked = (events.part(~np.isnan(events.ratings)) for events in (past, splits.test))
    if not len(known) or not len(asked):
        return None
    shape = len(splits.catalogue.user_ids), len(splits.catalogue.item_ids)
    mean = float(known.ratings.mean())
    count = np.bincount(known.items, minlength=shape[1])
    total = np.bincount(known.items, weights=known.ratings - mean, minlength=shape[1])
    items = mean + total / (count + 10.0)
    model = BiasedMF(factors=16).fit(known.users, known.items, known.ratings, shape=shape)
    predicted: dict[str, Any] = {
        "global mean": np.full(len(asked), mean),
        "item mean": items[asked.items],
        "biased MF": model.predict(asked.users, asked.items),
    }
    rows = [
        Row(name, {"RMSE": rmse(asked.ratings, found)}, baseline=not place)
        for place, (name, found) in enumerate(predicted.items())
    ]
    caption = (
        f"{len(asked):,} ratings of the test window, most of them by users new since training."
    )
    return Table("predicted ratings", ("RMSE",), tuple(rows), caption)
