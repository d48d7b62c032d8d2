"""What every report of a classifier draws: can its confidence be believed, and how did it learn."""

from collections.abc import Mapping, Sequence

import numpy as np

from common.evaluation.calibration import reliability_curve
from common.evaluation.report import Report, figure

MANY_EPOCHS = 30  # from here on a marker an epoch would hide the line


def draw_reliability(
    report: Report,
    labels: np.ndarray,
    models: Mapping[str, np.ndarray],
    *,
    table: str = "",
    bins: int = 15,
) -> None:
    """Draw the reliability curve of each model, name -> probabilities (N, C)."""
    caption = (
        "How often the model is right when it says it is this sure; on the diagonal, confidence"
        " can be believed."
    )
    with figure(report, "reliability", caption, table=table) as axes:
        axes.plot([0, 1], [0, 1], color="grey", linewidth=1, linestyle="--")
        for name, probabilities in models.items():
            curve = reliability_curve(labels, probabilities, bins=bins)
            axes.plot(curve.confidence, curve.frequency, marker="o", label=name)
        axes.set_xlabel("confidence")
        axes.set_ylabel("share correct")
        axes.legend()


def draw_training(
    report: Report,
    scores: Sequence[float],
    *,
    score: str = "accuracy",
    axis: str = "accuracy",
    table: str = "",
) -> None:
    """Draw the validation score after each epoch; one epoch makes no curve and is left out."""
    if len(scores) < 2:
        return
    epochs = np.arange(1, len(scores) + 1)
    caption = f"Validation {score} after each epoch; the best epoch's weights are kept."
    with figure(report, "training", caption, table=table) as axes:
        axes.plot(epochs, scores, marker="o" if len(scores) < MANY_EPOCHS else None)
        axes.set_xlabel("epoch")
        axes.set_ylabel(axis)
