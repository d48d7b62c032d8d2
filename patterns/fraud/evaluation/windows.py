"""Which windows are worth their cost: the trees fitted on parts of the features.

Shapes: `F` features.
"""

from __future__ import annotations

from copy import copy

import numpy as np

from common.evaluation.classification import average_precision, roc_auc
from common.evaluation.report import Row, Table, Value
from patterns.fraud.data import Splits
from patterns.fraud.pipeline import XGBOOST, Pipeline

DAYS = 21  # of training, to keep five more fits short


def windows(pipeline: Pipeline, splits: Splits) -> Table:
    """Return the quality of plain XGBoost on each set of columns."""
    inputs, train, valid = pipeline.inputs_, splits.train, splits.valid
    recent = train.days > train.days.max() - DAYS
    rows: list[Row] = []
    for name, chosen in _sets(pipeline.features.names).items():
        trees = copy(pipeline.variants[XGBOOST["none"]].model).fit(
            (inputs.train[np.ix_(recent, chosen)], train.labels[recent]),
            (inputs.valid[:, chosen], valid.labels),
        )
        scores = trees.predict(inputs.test[:, chosen])
        cells: dict[str, Value] = {
            "features": f"{int(chosen.sum())}",
            "valid AP": average_precision(valid.labels, trees.predict(inputs.valid[:, chosen])),
            "AP": average_precision(splits.test.labels, scores),
            "AUC": roc_auc(splits.test.labels, scores),
        }
        rows.append(Row(name, cells, baseline=not rows))
    caption = (
        "XGBoost without rebalancing on a part of the columns, fitted on the last"
        f" {DAYS} training days; same settings, same stopping."
    )
    return Table("windows", ("features", "valid AP", "AP", "AUC"), tuple(rows), caption)


def _sets(features: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Return which columns each set holds, (F,) bool."""
    names = np.array(features)
    plain = np.isin(names, ["amount", "weekend", "night", "hour"])
    basic = np.array([n.startswith(("customer_count", "customer_mean", "terminal")) for n in names])
    textbook = basic & np.array([n.endswith(("_1h", "_1d", "_7d")) for n in names])
    handbook = basic & np.array([n.endswith(("_1d", "_7d", "_30d")) for n in names])
    return {
        "amount and time only": plain,
        "+ textbook windows 1 h, 24 h, 7 d": plain | textbook,
        "+ handbook windows 1, 7, 30 d": plain | handbook,
        "all features": np.ones(len(names), dtype=bool),
        "all but terminal risk": np.array(["_risk_" not in n for n in names]),
    }
