"""What rebalancing does to the order of the payments and to the probabilities."""

from __future__ import annotations

import numpy as np

from common.evaluation.classification import average_precision
from common.evaluation.report import Row, Table, Value
from patterns.fraud.evaluation.quality import weighted_brier
from patterns.fraud.evaluation.scored import Scored
from patterns.fraud.pipeline import Pipeline
from patterns.fraud.stages.variants import XGBOOST

COLUMNS = ("AP", "predicted/actual", "calibrated", "Brier raw", "Brier", "trees")


def imbalance(pipeline: Pipeline, scored: Scored) -> Table:
    """Return XGBoost under every rebalancing, before and after calibration."""
    labels, weights = scored.payments.labels, scored.payments.weights
    share = scored.payments.fraud_share
    rows: list[Row] = []
    for name in (each for each in XGBOOST.values() if each in pipeline.variants):
        raw, calibrated = scored.raw[name], scored.calibrated[name]
        cells: dict[str, Value] = {
            "AP": average_precision(labels, raw, weights),
            "predicted/actual": f"{np.average(raw, weights=weights) / share:.2f}",
            "calibrated": f"{np.average(calibrated, weights=weights) / share:.2f}",
            "Brier raw": weighted_brier(scored.payments, raw),
            "Brier": weighted_brier(scored.payments, calibrated),
            "trees": str(pipeline.variants[name].model.trees_),
        }
        rows.append(Row(name, cells, baseline=not rows))
    caption = (
        "predicted/actual: mean score over the share of fraud, 1 is right; calibrated: the same"
        f" after {pipeline.served_.calibration.kind_} calibration on validation."
    )
    return Table("imbalance", COLUMNS, tuple(rows), caption)
