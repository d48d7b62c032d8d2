"""Rebalancing a training set with one fraud in 120 payments: what helps, what only looks like it.

Box "imbalance". Fraud is rare, so three cures are in every textbook:

    weight       every fraud counts n_genuine / n_fraud times in the loss
    smote        synthetic frauds x + u (neighbour - x), u ~ U(0, 1), until both classes are equal
    undersample  genuine payments are dropped until there are `ratio` of them per fraud

All three tell the model that fraud is common, so its probabilities come out many times too high;
the order of the payments need not improve. `evaluate` measures both: average precision, and the
ratio of predicted to actual fraud before and after calibration. Only training rows are ever
resampled.

Source: Chawla et al., "SMOTE", JAIR 2002; Dal Pozzolo et al., "Calibrating probability with
undersampling", 2015. Neighbours are found on standardised features, else the amount alone decides
them.
"""

from __future__ import annotations

import numpy as np

METHODS = ("none", "weight", "smote", "undersample")


def rebalance(
    features: np.ndarray,
    labels: np.ndarray,
    *,
    method: str,
    ratio: float = 1.0,
    neighbours: int = 5,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Features (M, F), labels (M,) and row weights (M,) or None of the rebalanced training set.

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
        wanted = int(genuine / ratio) - frauds
        added = smote(features[labels == 1], wanted, neighbours=neighbours, seed=seed)
        ones = np.ones(len(added), dtype=labels.dtype)
        return np.concatenate([features, added]), np.concatenate([labels, ones]), None
    rng = np.random.default_rng(seed)
    kept = rng.choice(np.flatnonzero(labels == 0), int(ratio * frauds), replace=False)
    rows = np.sort(np.concatenate([kept, np.flatnonzero(labels == 1)]))
    return features[rows], labels[rows], None


def smote(frauds: np.ndarray, wanted: int, *, neighbours: int = 5, seed: int = 0) -> np.ndarray:
    """Synthetic rows (wanted, F), each between a fraud and one of its nearest frauds.

    With a single fraud there is no neighbour, and copies are returned.
    """
    from sklearn.neighbors import NearestNeighbors

    rng = np.random.default_rng(seed)
    near = min(neighbours, len(frauds) - 1)
    origin = rng.integers(len(frauds), size=wanted)
    if near < 1:
        return frauds[origin]
    scale = np.maximum(frauds.std(0), 1e-9)
    index = NearestNeighbors(n_neighbors=near + 1).fit(frauds / scale)
    around = index.kneighbors(frauds / scale, return_distance=False)[:, 1:]  # (frauds, near)
    target = around[origin, rng.integers(near, size=wanted)]
    step = rng.random((wanted, 1), dtype=np.float32)
    return frauds[origin] + step * (frauds[target] - frauds[origin])
