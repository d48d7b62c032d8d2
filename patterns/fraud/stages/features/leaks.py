"""Columns that know the answer: one that alone tells nearly every fraud was likely filled in later.

A chargeback code, or the bank's own verdict, is in the history and not in a payment that waits for
its answer. No rule can be sure of it, so such columns are told, not dropped.

Shapes: `N` payments, `F` features.
"""

from __future__ import annotations

import numpy as np

from common.evaluation.classification import roc_auc
from patterns.fraud.stages.features.definition import FeatureSet

SUSPICIOUS = 0.995  # AUC of one column


def suspicious_columns(features: FeatureSet, matrix: np.ndarray, labels: np.ndarray) -> list[str]:
    """Return a warning for each further column of (N, F) that alone orders the payments (N,)."""
    found = []
    first = len(features.names) - len(features.further)
    for position, name in enumerate(features.further, start=first):
        values = matrix[:, position]
        if position in features.codes:
            values = _shares(values.astype(np.int64), labels)[values.astype(np.int64)]
        elif np.isnan(values).any():
            values = np.where(np.isnan(values), np.nanmin(values) - 1, values)
        auc = roc_auc(labels, values)
        if max(auc, 1 - auc) > SUSPICIOUS:
            found.append(
                f"Column {name!r} alone tells fraud from genuine payments (AUC"
                f" {max(auc, 1 - auc):.4f}): leave it out if it is filled in after the payment."
            )
    return found


def _shares(codes: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the share of fraud of each code."""
    counts = np.bincount(codes)
    return np.bincount(codes, labels) / np.maximum(counts, 1)
