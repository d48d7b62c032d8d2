"""The linear baseline: logistic regression on pixels.

    z = W x + b,   x = the normalised pixels, W (K, C·H·W)

Every row of W is a template of its class. It sees no shapes, only which pixels are bright, and so
tells how much of the task needs no vision at all (on Fashion-MNIST: most of it, about .85). What a
network gains, it gains over this. Trained by the same loop as the networks instead of a
second-order solver: the optimum is the same, and 54,000 images take seconds.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from patterns.vision.classification.stages.network import NetworkClassifier
from patterns.vision.classification.stages.preprocess import Normalise

LARGEST_SIZE = 32  # pixels a side of a template; a larger image is averaged down to it


class LinearClassifier(NetworkClassifier):
    """Logistic regression on pixels."""

    name = "linear"

    def __init__(
        self,
        *,
        epochs: int = 6,
        learning_rate: float = 5e-3,
        weight_decay: float = 0.0,
        precision: str = "fp32",
        **training: Any,
    ) -> None:
        """`training` is the other keywords of `NetworkClassifier`."""
        super().__init__(
            epochs=epochs,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            precision=precision,
            **training,
        )

    def build(self, *, channels: int, size: int) -> nn.Module:
        """Make the untrained matrix."""
        return Linear(channels=channels, size=size, classes=self.classes)


class Linear(nn.Module):
    """Logits of uint8 images (B, C, size, size) by one matrix."""

    def __init__(self, *, channels: int, size: int, classes: int) -> None:
        super().__init__()
        self.normalise = Normalise(channels=channels)
        self.size = min(size, LARGEST_SIZE)
        self.templates = nn.Linear(channels * self.size**2, classes)

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, K)."""
        x = self.normalise(images)
        if x.shape[-1] > self.size:
            x = functional.adaptive_avg_pool2d(x, self.size)
        return self.templates(x.flatten(1))
