"""U-Net: down to see what, up to see where, with bridges between equal resolutions.

    level 0   3 -> w ─────────────────────────── concat -> w -> C logits a pixel
    level 1      w -> 2w ─────────────── concat -> 2w ↗
    …              ↘ 2 x 2 max-pooling          ↗ nearest-neighbour, twice the size
    level L          2^L w

The way down gathers context, the way up restores position; the bridges hand over the detail that
pooling lost (Ronneberger et al. 2015, "U-Net"). Different here: convolutions are padded, so the
mask has the image's size; batch normalisation after each; nearest-neighbour up-sampling instead of
transposed convolutions, which leave a checkerboard; 16 channels at the top instead of 64. With a
stem of s the pixels of each s x s square become channels of one (space to depth), so that all
levels are s times smaller, and logits are interpolated back: for things larger than a pixel.

Shapes: B images, H x W pixels (multiples of s · 2^L), w width, L levels, C classes (1 for objects
against background).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class UNet(nn.Module):
    """One logit for each class and pixel of a standardised image."""

    def __init__(
        self, *, width: int = 16, levels: int = 4, stem: int = 1, channels: int = 3,
        classes: int = 1,
    ) -> None:  # fmt: skip
        super().__init__()
        widths = [width * 2**level for level in range(levels + 1)]
        below = [channels * stem**2, *widths[:-1]]
        self.down = nn.ModuleList(
            double_convolution(source, target) for source, target in zip(below, widths, strict=True)
        )
        self.up = nn.ModuleList(
            double_convolution(widths[level + 1] + widths[level], widths[level])
            for level in reversed(range(levels))
        )
        self.head = nn.Conv2d(width, classes, kernel_size=1)
        self.levels, self.stem = levels, stem

    @property
    def multiple(self) -> int:
        """The number of pixels that a side must be a multiple of."""
        return self.stem * 2**self.levels

    def forward(self, images: Tensor) -> Tensor:
        """Turn (B, 3, H, W) into logits (B, C, H, W)."""
        x = images.contiguous(memory_format=torch.channels_last)
        x = functional.pixel_unshuffle(x, self.stem) if self.stem > 1 else x
        bridges = []
        for level, block in enumerate(self.down):
            x = block(x if level == 0 else functional.max_pool2d(x, 2))  # (B, 2^l w, H/2^l, W/2^l)
            bridges.append(x)
        bridges.pop()
        for block in self.up:
            x = functional.interpolate(x, scale_factor=2.0, mode="nearest")
            x = block(torch.cat([x, bridges.pop()], dim=1))
        x = self.head(x)  # (B, C, H/s, W/s)
        return (
            functional.interpolate(x, scale_factor=float(self.stem), mode="bilinear")
            if self.stem > 1
            else x
        )


def double_convolution(channels_in: int, channels_out: int) -> nn.Sequential:
    """Return twice: 3 x 3 convolution, batch normalisation, ReLU."""
    layers: list[nn.Module] = []
    for source in (channels_in, channels_out):
        layers += [
            nn.Conv2d(source, channels_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)
