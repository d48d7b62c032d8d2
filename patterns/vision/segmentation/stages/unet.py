"""U-Net: down to see what, up to see where, with bridges between equal resolutions.

    level 0   3 -> w ─────────────────────────── concat -> w -> 1 logit a pixel
    level 1      w -> 2w ─────────────── concat -> 2w ↗
    …              ↘ 2 x 2 max-pooling          ↗ nearest-neighbour, twice the size
    level L          2^L w

The way down gathers context, the way up restores position; the bridges hand over the detail that
pooling lost (Ronneberger et al. 2015, "U-Net"). Different here: convolutions are padded, so the
mask has the image's size; batch normalisation after each; nearest-neighbour up-sampling instead of
transposed convolutions, which leave a checkerboard; 16 channels at the top instead of 64.

Shapes: B images, H x W pixels (multiples of 2^L), w width, L levels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class UNet(nn.Module):
    """One logit for each pixel of a standardised image."""

    def __init__(self, *, width: int = 16, levels: int = 4, channels: int = 3) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(levels + 1)]
        below = [channels, *widths[:-1]]
        self.down = nn.ModuleList(
            double_convolution(source, target) for source, target in zip(below, widths, strict=True)
        )
        self.up = nn.ModuleList(
            double_convolution(widths[level + 1] + widths[level], widths[level])
            for level in reversed(range(levels))
        )
        self.head = nn.Conv2d(width, 1, kernel_size=1)
        self.levels = levels

    def forward(self, images: Tensor) -> Tensor:
        """Turn (B, 3, H, W) into logits (B, H, W)."""
        x = images.contiguous(memory_format=torch.channels_last)
        bridges = []
        for level, block in enumerate(self.down):
            x = block(x if level == 0 else functional.max_pool2d(x, 2))  # (B, 2^l w, H/2^l, W/2^l)
            bridges.append(x)
        bridges.pop()
        for block in self.up:
            x = functional.interpolate(x, scale_factor=2.0, mode="nearest")
            x = block(torch.cat([x, bridges.pop()], dim=1))
        return self.head(x)[:, 0]  # (B, H, W)


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
