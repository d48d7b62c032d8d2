"""Rebalancing a training set with one fraud in 120 payments: what helps, what only looks like it.

Box "imbalance". Fraud is rare, so three cures are in every textbook:

    weight       every fraud counts n_genuine / n_fraud times in the loss
    smote        synthetic frauds x + u (neighbour - x), u ~ U(0, 1), until both classes are equal
    undersample  genuine payments are dropped until there are `ratio` of them per fraud

All three tell the model that fraud is common, so its probabilities may come out many times too
high; the order of the payments need not improve. `evaluate` measures both: average precision, and
the ratio of predicted to actual fraud before and after calibration. Only training rows are ever
resampled.

Source: Chawla et al., "SMOTE", JAIR 2002; Dal Pozzolo et al., "Calibrating probability with
undersampling", 2015. Neighbours are found on standardised features, else the amount alone decides
them. The resampling is imbalanced-learn's. Between two categories, or a number and a missing one,
there is nothing, so SMOTE is for features without either.

Shapes: `N` payments before, `M` after, `F` features.
"""

from __future__ import annotations

import numpy as np

METHODS = ("none", "weight", "smote", "undersample")


def suitable(*, gaps: bool) -> list[str]:
    """Return the methods for features that have `gaps`, categories or missing values, or none."""
    return [method for method in METHODS if method != "smote" or not gaps]


def rebalance(
    features: np.ndarray,
    labels: np.ndarray,
    *,
    method: str,
    ratio: float = 1.0,
    neighbours: int = 5,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return features (M, F), labels (M,) and weights (M,) or None of the rebalanced training set.

    `ratio` is the number of genuine rows a fraud: `smote` adds frauds, `undersample` drops genuine
    rows until it holds, `weight` weighs frauds so that it holds in the loss.
    """
    assert method in METHODS, method
    frauds = int(labels.sum())
    genuine = len(labels) - frauds
    if method == "none" or frauds == 0 or genuine <= ratio * frauds:
        return features, labels, None
    if method == "weight":
        return features, labels, np.where(labels == 1, genuine / ratio / frauds, 1.0)
    if method == "smote":
        wanted = int(genuine / ratio)
        return *smote(features, labels, wanted, neighbours=neighbours, seed=seed), None
    from imblearn.under_sampling import RandomUnderSampler

    sampler = RandomUnderSampler(sampling_strategy={0: int(ratio * frauds)}, random_state=seed)
    return *sampler.fit_resample(features, labels), None


def smote(
    features: np.ndarray, labels: np.ndarray, frauds: int, *, neighbours: int = 5, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Add synthetic rows until there are `frauds`, each between a fraud and one of its nearest.

    A single fraud has no neighbour; it is repeated instead.
    """
    from imblearn.over_sampling import SMOTE, RandomOverSampler

    known = int(labels.sum())
    near = min(neighbours, known - 1)
    scale = np.maximum(features[labels == 1].std(0), 1e-9)
    sampler = (
        SMOTE(sampling_strategy={1: frauds}, k_neighbors=near, random_state=seed)
        if near
        else RandomOverSampler(sampling_strategy={1: frauds}, random_state=seed)
    )
    added, added_labels = sampler.fit_resample(features / scale, labels)
    return (added * scale).astype(features.dtype), added_labels
