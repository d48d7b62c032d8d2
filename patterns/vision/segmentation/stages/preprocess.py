"""Preprocessing: one scale of brightness for every microscope.

Exposure, gain and stain differ from image to image by more than nuclei differ from background, and
the first thing a network would have to learn is to undo them. So each image is standardised by its
own statistics,  x ← (x − mean) / (deviation + 5),  over all pixels and channels together, which
keeps the hue. The mean and the deviation are those of the whole image, never of a crop of it: a
crop of pure background must stay dark. The same function runs in training and in serving.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

LEAST_DEVIATION = 5.0  # of 255: an almost empty image is not blown up into noise


def statistics(image: np.ndarray) -> tuple[float, float]:
    """Return the mean and the padded deviation of a uint8 image (H, W, 3)."""
    return float(image.mean()), float(image.std()) + LEAST_DEVIATION


def standardise(image: np.ndarray) -> Tensor:
    """Turn a uint8 image (H, W, 3) into float32 (3, H, W) of about zero mean, unit deviation."""
    mean, deviation = statistics(image)
    pixels = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))).float()
    return (pixels - mean) / deviation


def as_colour(image: np.ndarray) -> np.ndarray:
    """Return any uint8 image, (H, W) or (H, W, 1) or (H, W, 3), with three channels."""
    if image.ndim == 2:
        image = image[..., None]
    return np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image[..., :3]


def mirror_pad(image: Tensor, height: int, width: int) -> Tensor:
    """Extend (C, H, W) at its end to at least `height` x `width` by reflecting it, often enough."""
    if image.shape[1] < height:
        image = image[:, _mirrored(image.shape[1], height)]
    if image.shape[2] < width:
        image = image[:, :, _mirrored(image.shape[2], width)]
    return image


def _mirrored(length: int, wanted: int) -> Tensor:
    """Return `wanted` indices 0 … length-1, length-2 … 0, 1 …"""
    period = max(2 * (length - 1), 1)
    position = torch.arange(wanted) % period
    return torch.minimum(position, period - position) if length > 1 else position
