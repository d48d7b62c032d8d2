"""Which windows and further columns are worth their cost: trees on parts of the features.

Shapes: `F` features.
"""

from __future__ import annotations

from copy import copy

import numpy as np

from common.evaluation.classification import average_precision, roc_auc
from common.evaluation.report import Row, Table, Value
from patterns.fraud.data import Splits
from patterns.fraud.pipeline import Pipeline
from patterns.fraud.stages.features.definition import FeatureSet
from patterns.fraud.stages.variants import XGBOOST

DAYS = 21  # of training, to keep five more fits short


def windows(pipeline: Pipeline, splits: Splits) -> Table:
    """Return the quality of plain XGBoost on each set of columns."""
    inputs, train, valid = pipeline.inputs_, splits.train, splits.valid
    recent = np.ones(len(train), dtype=bool)
    if train.days is not None:
        recent = train.days > train.days.max() - DAYS
    if not 0 < train.labels[recent].sum() < recent.sum():
        recent[:] = True
    rows: list[Row] = []
    for name, chosen in _sets(pipeline.features).items():
        trees = copy(pipeline.variants[XGBOOST["none"]].model)
        places = np.flatnonzero(chosen)
        trees.codes = np.flatnonzero(np.isin(places, pipeline.features.codes)).tolist()
        trees.fit(
            (inputs.train[np.ix_(recent, chosen)], train.labels[recent]),
            (inputs.valid[:, chosen], valid.labels),
        )
        scores = trees.predict(inputs.test[:, chosen])
        cells: dict[str, Value] = {
            "features": f"{int(chosen.sum())}",
            "valid AP": average_precision(
                valid.labels, trees.predict(inputs.valid[:, chosen]), valid.weights
            ),
            "AP": average_precision(splits.test.labels, scores, splits.test.weights),
            "AUC": roc_auc(splits.test.labels, scores),
        }
        rows.append(Row(name, cells, baseline=not rows))
    when = f"the last {DAYS} training days" if not recent.all() else "all training payments"
    caption = (
        f"XGBoost without rebalancing on a part of the columns, fitted on {when}; same settings,"
        " same stopping."
    )
    return Table("windows", ("features", "valid AP", "AP", "AUC"), tuple(rows), caption)


def _sets(features: FeatureSet) -> dict[str, np.ndarray]:
    """Return which columns each set holds, (F,) bool; an empty or repeated set is left out."""
    names = np.array(features.names)
    plain = np.isin(names, ["amount", "weekend", "night", "hour"])
    basic = np.array([n.startswith(("customer_count", "customer_mean", "terminal")) for n in names])
    textbook = basic & np.array([n.endswith(("_1h", "_1d", "_7d")) for n in names])
    handbook = basic & np.array([n.endswith(("_1d", "_7d", "_30d")) for n in names])
    every = np.ones(len(names), dtype=bool)
    sets = {
        "amount and time only": plain,
        "+ textbook windows 1 h, 24 h, 7 d": plain | textbook,
        "+ handbook windows 1, 7, 30 d": plain | handbook,
        "all features": every,
        "all but terminal risk": np.array(["_risk_" not in n for n in names]),
        "all but further columns": ~np.isin(names, features.further),
        "further columns only": np.isin(names, features.further),
    }
    kept: dict[str, np.ndarray] = {}
    for name, chosen in sets.items():
        if chosen.any() and not any(np.array_equal(chosen, other) for other in kept.values()):
            kept[name] = chosen
    return kept
