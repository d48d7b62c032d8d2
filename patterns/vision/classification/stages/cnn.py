"""A small ResNet for small images.

    stem 3x3 -> for each width w: [residual block, stride 2] + (blocks − 1) x [residual block]
             -> mean over the pixels -> linear

A residual block computes relu(x + F(x)), so that the identity is what a block does by default and
depth costs nothing in trainability (He et al. 2016, "Deep Residual Learning"). Each stage halves
the resolution and doubles the channels: the work per stage stays equal while what a position sees
grows. Differences from ResNet18: no max-pooling and no stride in the stem (28 pixels are too few to
throw away), one block a stage by default, 310,000 weights instead of 11 million.

Shapes: B images, C channels, H x W pixels, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from patterns.vision.classification.stages.network import NetworkClassifier
from patterns.vision.classification.stages.preprocess import Normalise


class CnnClassifier(NetworkClassifier):
    """A small ResNet, trained from scratch."""

    name = "cnn"

    def __init__(
        self, *, widths: Sequence[int] = (32, 64, 128), blocks: int = 1, **training: Any
    ) -> None:
        """`training` is the keywords of `NetworkClassifier`."""
        super().__init__(**training)
        self.widths, self.blocks = tuple(widths), blocks

    def build(self, *, channels: int, size: int) -> nn.Module:
        """Make the untrained network; it takes images of any size."""
        return ResNet(
            channels=channels, classes=self.classes, widths=self.widths, blocks=self.blocks
        )

    def architecture(self) -> dict[str, Any]:
        """Return the keyword arguments that `build` depends on."""
        return {"widths": self.widths, "blocks": self.blocks}


class Block(nn.Module):
    """Two 3x3 convolutions beside a shortcut."""

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.first = _convolution(channels_in, channels_out, kernel=3, stride=stride)
        self.second = _convolution(channels_out, channels_out, kernel=3, stride=1)
        same = stride == 1 and channels_in == channels_out
        self.shortcut = (
            nn.Identity()
            if same
            else _convolution(channels_in, channels_out, kernel=1, stride=stride)
        )
        normalisation = self.second[1]
        assert isinstance(normalisation, nn.BatchNorm2d)
        nn.init.zeros_(normalisation.weight)  # a block starts as its shortcut (Goyal et al. 2017)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C_in, H, W) -> (B, C_out, H / stride, W / stride)."""
        return functional.relu(self.shortcut(x) + self.second(functional.relu(self.first(x))))


class ResNet(nn.Module):
    """Logits of uint8 images (B, C, H, W)."""

    def __init__(
        self, *, channels: int, classes: int, widths: Sequence[int] = (32, 64, 128), blocks: int = 1
    ) -> None:
        super().__init__()
        self.normalise = Normalise(channels=channels)
        self.stem = _convolution(channels, widths[0], kernel=3, stride=1)
        stages: list[nn.Module] = []
        before = widths[0]
        for width in widths:
            for number in range(blocks):
                stages.append(Block(before, width, stride=2 if number == 0 else 1))
                before = width
        self.stages = nn.Sequential(*stages)
        self.head = nn.Linear(before, classes)

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, K)."""
        x = functional.relu(self.stem(self.normalise(images)))  # (B, W0, H, W)
        x = x.contiguous(memory_format=torch.channels_last)  # half as slow again on a CPU without
        x = self.stages(x)  # (B, W_last, H / 2^s, W / 2^s)
        return self.head(x.mean(dim=(2, 3)))  # (B, K)


def _convolution(channels_in: int, channels_out: int, *, kernel: int, stride: int) -> nn.Sequential:
    """Convolution and batch normalisation; the latter's shift makes a bias superfluous."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, kernel, stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(channels_out),
    )
