"""What rebalancing does to the order of the payments and to the probabilities."""

from __future__ import annotations

import numpy as np

from common.evaluation.classification import average_precision, brier
from common.evaluation.report import Row, Table, Value
from patterns.fraud.evaluation.scored import Scored
from patterns.fraud.pipeline import XGBOOST, Pipeline

COLUMNS = ("AP", "predicted/actual", "calibrated", "Brier raw", "Brier", "trees")


def imbalance(pipeline: Pipeline, scored: Scored) -> Table:
    """Return XGBoost under every rebalancing, before and after calibration."""
    labels = scored.payments.labels
    rows: list[Row] = []
    for name in XGBOOST.values():
        raw, calibrated = scored.raw[name], scored.calibrated[name]
        cells: dict[str, Value] = {
            "AP": average_precision(labels, raw),
            "predicted/actual": f"{raw.mean() / labels.mean():.2f}",
            "calibrated": f"{calibrated.mean() / labels.mean():.2f}",
            "Brier raw": brier(labels, np.clip(raw, 0, 1)),
            "Brier": brier(labels, np.clip(calibrated, 0, 1)),
            "trees": str(pipeline.variants[name].model.trees_),
        }
        rows.append(Row(name, cells, baseline=not rows))
    caption = (
        "predicted/actual: mean score over the share of fraud, 1 is right; calibrated: the same"
        f" after {pipeline.served_.calibration.kind_} calibration on validation."
    )
    return Table("imbalance", COLUMNS, tuple(rows), caption)
