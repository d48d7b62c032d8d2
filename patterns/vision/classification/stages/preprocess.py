"""Preprocessing: whatever image comes in, it goes out as the network was trained on them.

First box of the diagram, and the one where training and serving drift apart most easily (another
resize filter, RGB against BGR, a second normalisation). So there is one function for both: grey or
colour as the training data was, scaled to one size with the same filter, kept as 8-bit integers.
Normalisation, x ← (x / 255 − mean) / deviation with the training set's statistics, is the
network's own first layer, so it is saved with the weights and cannot be forgotten.

Shapes: N images, C channels, H x W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from common.images import resized

# Tinier images are scaled up: on the 8 x 8 digits, held-out writers are then read right 98.8 % of
# the time and not 98.4 %. Shifts are by half a drawn pixel then, and stages have more to halve.
SIZES = (16, 96)
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow turns colour to grey


class Preprocess:
    """Bring images to `size` x `size` pixels of `channels` (1 or 3) channels."""

    def __init__(self, *, size: int, channels: int) -> None:
        assert channels in (1, 3) and size > 0
        self.size, self.channels = size, channels

    @classmethod
    def like(cls, images: np.ndarray, *, size: int = 0) -> Preprocess:
        """Take channels and size from training images (N, H, W) or (N, H, W, 3).

        `size` 0 keeps the longer side of the data within `SIZES`.
        """
        channels = 3 if images.ndim == 4 else 1
        smallest, largest = SIZES
        return cls(size=size or min(max(*images.shape[1:3], smallest), largest), channels=channels)

    def batch(self, images: np.ndarray | Sequence[np.ndarray]) -> np.ndarray:
        """Return uint8 (N, C, size, size); images may differ in size and in channels."""
        if isinstance(images, np.ndarray) and self._fits(images[:1]):
            return _channels_first(images)
        if not len(images):
            return np.zeros((0, self.channels, self.size, self.size), dtype=np.uint8)
        return np.stack([self._one(image) for image in images])

    def _fits(self, images: np.ndarray) -> bool:
        pixels = (self.size, self.size)
        return images.shape[1:] == (pixels if self.channels == 1 else (*pixels, 3))

    def _one(self, image: np.ndarray) -> np.ndarray:
        if image.ndim == 2 and self.channels == 3:
            image = np.repeat(image[..., None], 3, axis=2)
        if image.ndim == 3 and self.channels == 1:
            image = np.rint(image.astype(np.float32) @ np.array(LUMA, np.float32))
            image = image.astype(np.uint8)  # (H, W)
        if image.shape[:2] != (self.size, self.size):
            image = resized(image, self.size)
        return _channels_first(image[None])[0]  # (C, size, size)


class Normalise(nn.Module):
    """First layer of every network: 0..255 in, zero mean and unit deviation out."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, *, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("deviation", torch.ones(channels))

    def fit(self, images: Tensor) -> Normalise:
        """Measure uint8 training images (N, C, H, W), at most 10,000 of them."""
        step = max(1, len(images) // 10_000)
        pixels = images[::step].float() / 255
        self.mean.copy_(pixels.mean(dim=(0, 2, 3)))
        self.deviation.copy_(pixels.std(dim=(0, 2, 3)).clamp_min(1e-3))
        return self

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) of any number type to float32, channels last in memory."""
        scale = 1 / (255 * self.deviation[:, None, None])
        shift = (self.mean / self.deviation)[:, None, None]
        return (images * scale - shift).contiguous(memory_format=torch.channels_last)


def _channels_first(images: np.ndarray) -> np.ndarray:
    return images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)
