"""The knobs of optimisation: how a model is trained, apart from what it is and what it learns from.

They are one value, so that a stage shows them in one place and a checkpoint can refuse to go on
under others. The ranges are checked as soon as it is made.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from common.training.schedule import SCHEDULES

OPTIMIZERS = ("adamw", "sgd")
PRECISIONS = ("auto", "fp32", "bf16", "fp16")


@dataclass(frozen=True, kw_only=True)
class Optimisation:
    """How to optimise; raises `ValueError` where a knob is out of range."""

    epochs: int
    learning_rate: float
    weight_decay: float = 0.0
    """Of matrices; without parameter groups of their own, vectors (biases, norms) do not decay."""
    schedule: str = "constant"
    """How the learning rate changes from step to step: constant, cosine, one-cycle, linear or
    inverse-root."""
    warmup: float = 0.0
    """The share of all steps in which the learning rate rises."""
    gradient_clip: float | None = None
    """The largest norm of a gradient."""
    ema: float | None = None
    """The decay, such as .999, of an average of the weights; validation and result then use it."""
    optimizer: str = "adamw"
    """AdamW, or sgd with Nesterov momentum .9."""
    precision: str = "auto"
    """What matrices are multiplied in; auto is fp32 on a CPU, bf16 (or fp16) on CUDA."""
    patience: int | None = None
    """The run ends after this many epochs without a better validation score."""

    def __post_init__(self) -> None:
        """Refuse what is out of range."""
        clip, ema, patience = self.gradient_clip, self.ema, self.patience
        ranges = {
            "epochs": (self.epochs >= 1, "give 1 or more"),
            "learning_rate": (0 < self.learning_rate < math.inf, "give one above 0"),
            "weight_decay": (0 <= self.weight_decay < math.inf, "give 0 or more"),
            "warmup": (0 <= self.warmup < 1, "give a share of the steps in [0, 1)"),
            "gradient_clip": (clip is None or clip > 0, "give a norm above 0, or None"),
            "ema": (ema is None or 0 < ema < 1, "give a decay between 0 and 1, or None"),
            "patience": (patience is None or patience >= 1, "give 1 or more, or None"),
        }
        for name, (holds, remedy) in ranges.items():
            if not holds:
                raise ValueError(f"{name}: {getattr(self, name)} is out of range; {remedy}")
        choices = {"schedule": SCHEDULES, "optimizer": OPTIMIZERS, "precision": PRECISIONS}
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise ValueError(
                    f"{name}: {getattr(self, name)!r} is not known; use one of {', '.join(known)}"
                )
