"""The test days as every variant scores them: what most questions of the report start from.

The test days are scored once; everything chosen (trees, calibration, threshold, which variant to
serve) was chosen on validation.

Shapes: `N` payments, `F` features.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from patterns.fraud.data import Splits
from patterns.fraud.entities.payments import Payments
from patterns.fraud.pipeline import Pipeline


@dataclass(frozen=True)
class Scored:
    """The payments of the test days with the scores of each variant, by its name."""

    payments: Payments
    features: np.ndarray  # (N, F)
    raw: dict[str, np.ndarray]  # scores (N,) as the model gives them
    calibrated: dict[str, np.ndarray]  # probabilities (N,)
    declined: dict[str, np.ndarray]  # (N,) bool, by the variant's own decision


def score(pipeline: Pipeline, splits: Splits) -> Scored:
    """Score the test days with every variant."""
    features, variants = pipeline.inputs_.test, pipeline.variants
    raw = {name: v.model.predict(features) for name, v in variants.items()}
    calibrated = {name: v.calibration.transform(raw[name]) for name, v in variants.items()}
    amounts = splits.test.amounts
    declined = {n: v.decision.decline(calibrated[n], amounts) for n, v in variants.items()}
    return Scored(splits.test, features, raw, calibrated, declined)
