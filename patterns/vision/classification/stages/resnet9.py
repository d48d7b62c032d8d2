"""ResNet-9 for small colour photographs: much convolution at full resolution, few epochs.

    stem 3x3, w -> conv 2w, pool -> residual 2w -> conv 4w, pool -> conv 8w, pool -> residual 8w
             -> maximum over the pixels -> linear x 1/8

A network made to learn CIFAR-10 in few epochs (Page 2018, "How to train your ResNet"). Where `cnn`
halves the resolution at the entry of each stage, this one first convolves and then takes the
maximum of 2 x 2 pixels: more work per image, and more learned from it.
Differences: w = 32 instead of 64, a quarter of the work, since a CPU trains it; and a stem whose
stride brings images of any size to about 32 positions a side, so that a larger image costs little
more. The factor 1/8 before the softmax is the source's: it keeps early logits small.

Shapes: B images, C channels, H x W pixels, K classes.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from patterns.vision.classification.stages.network import NetworkClassifier
from patterns.vision.classification.stages.preprocess import Normalise

POSITIONS = 32  # a side, after the stem
LOGIT_SCALE = 1 / 8


class ResNet9Classifier(NetworkClassifier):
    """A ResNet-9, trained from scratch."""

    name = "resnet9"

    def __init__(
        self, *, width: int = 32, least_steps: int = 1500, ema: float = 0.99, **training: Any
    ) -> None:
        """`training` is the other keywords of `NetworkClassifier`."""
        super().__init__(least_steps=least_steps, ema=ema, **training)
        self.width = width

    def build(self, *, channels: int, size: int) -> nn.Module:
        """Make the untrained network for images of about `size` pixels a side."""
        return ResNet9(channels=channels, classes=self.classes, size=size, width=self.width)

    def architecture(self) -> dict[str, Any]:
        """Return the keyword arguments that `build` depends on."""
        return {"width": self.width}


class ResNet9(nn.Module):
    """Logits of uint8 images (B, C, H, W)."""

    def __init__(self, *, channels: int, classes: int, size: int = 32, width: int = 32) -> None:
        super().__init__()
        stride = max(1, round(size / POSITIONS))
        self.normalise = Normalise(channels=channels)
        self.layers = nn.Sequential(
            convolution(channels, width, kernel=2 * stride + 1, stride=stride),
            convolution(width, 2 * width, pool=True),
            Residual(2 * width),
            convolution(2 * width, 4 * width, pool=True),
            convolution(4 * width, 8 * width, pool=True),
            Residual(8 * width),
        )
        self.head = nn.Linear(8 * width, classes)
        self.to(memory_format=torch.channels_last)  # a tenth faster on a CPU

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, K)."""
        x = self.layers(self.normalise(images))  # (B, 8 w, H / 8 s, W / 8 s)
        return LOGIT_SCALE * self.head(x.amax(dim=(2, 3)))  # (B, K)


class Residual(nn.Module):
    """Two convolutions added to what came in."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.path = nn.Sequential(convolution(channels, channels), convolution(channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the same."""
        return x + self.path(x)


def convolution(
    channels_in: int, channels_out: int, *, kernel: int = 3, stride: int = 1, pool: bool = False
) -> nn.Sequential:
    """Convolution, batch normalisation, which makes a bias superfluous, and ReLU.

    Maxima of 2 x 2 are taken before the normalisation: the order hardly matters to the result,
    and a quarter of the numbers is left to normalise.
    """
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, kernel, stride, padding=kernel // 2, bias=False),
        *([nn.MaxPool2d(2, ceil_mode=True)] if pool else []),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(inplace=True),
    )
