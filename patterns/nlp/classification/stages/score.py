"""What is chosen on the validation texts, epochs, strengths and models, is chosen by this score.

Accuracy, but where more than four in five texts have one label: there a model that always says it
is right as often, and macro F1, the mean of each label's F1, tells the models apart.

Shapes: N texts.
"""

from __future__ import annotations

import numpy as np

ONE_SIDED = 0.8  # share of the most frequent label


def score_name(labels: np.ndarray) -> str:
    """Return which score labels (N,) ask for: "accuracy" or "macro F1"."""
    most = np.bincount(labels).max(initial=0)
    return "macro F1" if most > ONE_SIDED * len(labels) else "accuracy"


def measure_of(labels: np.ndarray) -> str:
    """Return what that score is, of so many texts, for a sentence."""
    return f"{score_name(labels)} on the {len(labels):,} validation texts"


def score(labels: np.ndarray, predicted: np.ndarray) -> float:
    """Return that score of predicted labels (N,), from 0 to 1."""
    if score_name(labels) == "accuracy":
        return float((predicted == labels).mean())
    from sklearn.metrics import f1_score

    return float(f1_score(labels, predicted, average="macro", zero_division=0.0))
