"""The detector's network: backbone, neck and decoupled head, the "model" box of the diagram.

A compact anchor-free one-stage detector in the YOLO family. The backbone halves the resolution
five times; feature maps of stride 8, 16 and 32 go through a path-aggregation neck (top-down, then
bottom-up), and a head per level predicts, at every cell, class logits and the four distances to
the sides of a box. Each distance is a distribution over `reg_max` integers, read out as its mean
(distribution focal loss, Li et al. 2020, arXiv:2006.04388):

    distance = stride * sum_r r * softmax(logits)_r

Sources: CSPNet (arXiv:1911.11929), PANet (arXiv:1803.01534), TOOD (arXiv:2108.07755). Smaller than
published models on purpose: a million weights, so that two CPU cores train it from scratch.

Shapes: B images, H x W pixels or cells of a level, A cells over all levels, C classes, R = reg_max.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

STRIDES = (8, 16, 32)


class Predictions(NamedTuple):
    """What the network says of every cell: class logits, distance logits and decoded boxes."""

    logits: Tensor  # (B, A, C)
    distances: Tensor  # (B, A, 4, R) logits of left, top, right, bottom
    boxes: Tensor  # (B, A, 4) x0, y0, x1, y1 in input pixels
    centres: Tensor  # (A, 2) x, y of each cell in input pixels
    strides: Tensor  # (A,)


def convolution(inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution, batch normalisation, SiLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.03),
        nn.SiLU(inplace=True),
    )


class Bottleneck(nn.Module):
    """Two 3x3 convolutions with a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(convolution(channels, channels), convolution(channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        """Return the shape that came in."""
        return x + self.body(x)


class CrossStage(nn.Module):
    """Cross-stage partial block: half the channels skip the bottlenecks, all stages are joined."""

    def __init__(self, inputs: int, outputs: int, *, depth: int = 1) -> None:
        super().__init__()
        half = outputs // 2
        self.split = convolution(inputs, 2 * half, kernel=1)
        self.blocks = nn.ModuleList(Bottleneck(half) for _ in range(depth))
        self.join = convolution((2 + depth) * half, outputs, kernel=1)

    def forward(self, x: Tensor) -> Tensor:
        """Change the channels, keep the resolution."""
        parts = list(self.split(x).chunk(2, dim=1))
        for block in self.blocks:
            parts.append(block(parts[-1]))
        return self.join(torch.cat(parts, dim=1))


class PyramidPooling(nn.Module):
    """Three chained max pools widen the receptive field of the deepest map at little cost."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.reduce = convolution(channels, half, kernel=1)
        self.join = convolution(4 * half, channels, kernel=1)
        self.pool = nn.MaxPool2d(5, 1, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Return the shape that came in."""
        maps = [self.reduce(x)]
        for _ in range(3):
            maps.append(self.pool(maps[-1]))
        return self.join(torch.cat(maps, dim=1))


class Backbone(nn.Module):
    """Five halvings; returns the maps of stride 8, 16 and 32."""

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.channels = (4 * width, 8 * width, 8 * width)
        self.stem = nn.Sequential(
            convolution(3, width, stride=2),
            convolution(width, 2 * width, stride=2),
            CrossStage(2 * width, 2 * width, depth=depth),
        )
        self.stage8 = self._stage(2 * width, self.channels[0], depth)
        self.stage16 = self._stage(self.channels[0], self.channels[1], depth)
        self.stage32 = nn.Sequential(
            self._stage(self.channels[1], self.channels[2], depth),
            PyramidPooling(self.channels[2]),
        )

    @staticmethod
    def _stage(inputs: int, outputs: int, depth: int) -> nn.Sequential:
        return nn.Sequential(
            convolution(inputs, outputs, stride=2), CrossStage(outputs, outputs, depth=depth)
        )

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Turn (B, 3, H, W) into maps of stride 8, 16, 32."""
        map8 = self.stage8(self.stem(images))
        map16 = self.stage16(map8)
        return map8, map16, self.stage32(map16)


class Neck(nn.Module):
    """Path aggregation: meaning flows down to fine maps, then position flows back up."""

    def __init__(self, channels: tuple[int, int, int], width: int) -> None:
        super().__init__()
        fine, middle, coarse = channels
        self.down16 = CrossStage(middle + coarse, width)
        self.down8 = CrossStage(fine + width, width)
        self.stride16 = convolution(width, width, stride=2)
        self.up16 = CrossStage(2 * width, width)
        self.stride32 = convolution(width, width, stride=2)
        self.up32 = CrossStage(width + coarse, width)

    def forward(self, map8: Tensor, map16: Tensor, map32: Tensor) -> list[Tensor]:
        """Turn three maps into three of `width` channels and the same strides."""
        top16 = self.down16(torch.cat([map16, _enlarge(map32)], dim=1))
        out8 = self.down8(torch.cat([map8, _enlarge(top16)], dim=1))
        out16 = self.up16(torch.cat([top16, self.stride16(out8)], dim=1))
        out32 = self.up32(torch.cat([map32, self.stride32(out16)], dim=1))
        return [out8, out16, out32]


class Head(nn.Module):
    """Decoupled head of one level: one branch for classes, one for box sides."""

    def __init__(self, width: int, classes: int, reg_max: int, stride: int) -> None:
        super().__init__()
        self.classes = nn.Sequential(convolution(width, width), nn.Conv2d(width, classes, 1))
        self.sides = nn.Sequential(convolution(width, width), nn.Conv2d(width, 4 * reg_max, 1))
        # Few cells hold an object: start at that rate, or the first steps only unlearn it.
        prior = 5 / classes / (320 / stride) ** 2
        last = self.classes[-1]
        assert isinstance(last, nn.Conv2d) and last.bias is not None
        nn.init.constant_(last.bias, math.log(prior / (1 - prior)))

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return class logits (B, H*W, C) and side logits (B, H*W, 4*R)."""
        logits = self.classes(features).flatten(2).transpose(1, 2)  # (B, H*W, C)
        sides = self.sides(features).flatten(2).transpose(1, 2)  # (B, H*W, 4*R)
        return logits, sides


class Network(nn.Module):
    """Images to class logits and boxes at every cell of three levels."""

    def __init__(self, *, classes: int, width: int = 16, depth: int = 1, reg_max: int = 8) -> None:
        super().__init__()
        self.reg_max = reg_max
        self.backbone = Backbone(width, depth)
        self.neck = Neck(self.backbone.channels, 4 * width)
        self.heads = nn.ModuleList(Head(4 * width, classes, reg_max, s) for s in STRIDES)

    def forward(self, images: Tensor) -> Predictions:
        """Predict from images (B, 3, H, W), values in [0, 1], H and W multiples of 32."""
        images = images.contiguous(memory_format=torch.channels_last)  # a quarter faster on a CPU
        maps = self.neck(*self.backbone(images))
        outputs = [head(features) for head, features in zip(self.heads, maps, strict=True)]
        logits = torch.cat([logits for logits, _ in outputs], dim=1).float()  # (B, A, C)
        sides = torch.cat([sides for _, sides in outputs], dim=1).float()
        distances = sides.unflatten(2, (4, self.reg_max))  # (B, A, 4, R)
        centres, strides = cells([tuple(features.shape[-2:]) for features in maps], logits.device)
        return Predictions(logits, distances, decode(distances, centres, strides), centres, strides)


def cells(shapes: list[tuple[int, ...]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the centre of every cell in pixels (A, 2) and its stride (A,), fine level first."""
    centres, strides = [], []
    for (height, width), stride in zip(shapes, STRIDES, strict=True):
        y, x = torch.meshgrid(
            torch.arange(height, device=device), torch.arange(width, device=device), indexing="ij"
        )
        centres.append((torch.stack([x, y], dim=-1).flatten(0, 1) + 0.5) * stride)
        strides.append(torch.full((height * width,), float(stride), device=device))
    return torch.cat(centres), torch.cat(strides)


def decode(distances: Tensor, centres: Tensor, strides: Tensor) -> Tensor:
    """Turn distance logits (B, A, 4, R) into boxes (B, A, 4) in pixels."""
    integers = torch.arange(distances.shape[-1], device=distances.device, dtype=distances.dtype)
    sides = (distances.softmax(dim=-1) @ integers) * strides[:, None]  # (B, A, 4)
    return torch.cat([centres - sides[..., :2], centres + sides[..., 2:]], dim=-1)


def _enlarge(features: Tensor) -> Tensor:
    return nn.functional.interpolate(features, scale_factor=2.0, mode="nearest")
