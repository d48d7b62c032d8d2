"""Augmentation: random changes of a training image that leave its label right.

Each is one operation on the whole batch, with another random draw for every image in it, so that
augmenting costs little beside the network: 128 images in about a millisecond where a transform per
image in Python takes fifty.

    shift and flip   one gather with shifted, reversed indices (padding and cropping amount to it)
    rotation         an affine grid, sampled bilinearly
    erasing          a random rectangle set to the image's mean (Zhong et al. 2020)
    mixup            x ← λ x_i + (1 − λ) x_j and the targets alike, λ ~ Beta(a, a) (Zhang 2018)

Whether flipping is allowed is a fact about the labels (a mirrored 2 is no 2), so the caller says.
Shapes: B images, C channels, H x W pixels, K classes.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

ERASED_AREA = (0.02, 0.33)
ERASED_ASPECT = 3.3


class Augment:
    """The chosen changes in their order; every draw comes from the generator it is called with.

    `crop` is a share of the side, `rotation` is in degrees, `erasing` a share of the images.
    """

    def __init__(
        self,
        *,
        crop: float = 0.08,
        flip: bool = False,
        rotation: float = 0.0,
        erasing: float = 0.0,
        mixup: float = 0.0,
    ) -> None:
        self.crop, self.flip, self.rotation = crop, flip, rotation
        self.erasing, self.mixup = erasing, mixup

    def __call__(
        self, images: Tensor, targets: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Change uint8 images (B, C, H, W) and their targets (B, K)."""
        pixels = round(self.crop * images.shape[-1])
        if pixels or self.flip:
            images = shift_and_flip(images, generator, pixels=pixels, flip=self.flip)
        if self.rotation:
            images = rotate(images, generator, degrees=self.rotation)
        if self.erasing:
            images = erase(images, generator, share=self.erasing)
        if self.mixup:
            images, targets = mix(images, targets, generator, alpha=self.mixup)
        return images, targets


def shift_and_flip(
    images: Tensor, generator: torch.Generator, *, pixels: int, flip: bool
) -> Tensor:
    """Shift each image by up to `pixels` in both directions and mirror half of them if `flip`.

    What comes in at the edges is black.
    """
    count, channels, height, width = images.shape
    padded = functional.pad(images, (pixels, pixels, pixels, pixels))
    offset = torch.randint(0, 2 * pixels + 1, (count, 2), generator=generator)
    rows = offset[:, :1] + torch.arange(height)  # (B, H)
    columns = offset[:, 1:] + torch.arange(width)  # (B, W)
    if flip:
        mirrored = torch.rand(count, 1, generator=generator) < 0.5
        columns = torch.where(mirrored, columns.flip(1), columns)
    one = torch.arange(count)[:, None, None, None]
    each = torch.arange(channels)[None, :, None, None]
    return padded[one, each, rows[:, None, :, None], columns[:, None, None, :]]  # (B, C, H, W)


def rotate(images: Tensor, generator: torch.Generator, *, degrees: float) -> Tensor:
    """Rotate each image about its centre by an angle in [-degrees, degrees]; corners are black."""
    count = len(images)
    angle = (2 * torch.rand(count, generator=generator) - 1) * math.radians(degrees)
    cosine, sine, zero = angle.cos(), angle.sin(), torch.zeros(count)
    ratio = images.shape[2] / images.shape[3]
    matrix = torch.stack(
        [
            torch.stack([cosine, -sine * ratio, zero], dim=1),
            torch.stack([sine / ratio, cosine, zero], dim=1),
        ],
        dim=1,
    )  # (B, 2, 3), in coordinates that run from -1 to 1 on both axes
    grid = functional.affine_grid(matrix, list(images.shape), align_corners=False)
    turned = functional.grid_sample(images.float(), grid, align_corners=False)
    return turned.round().to(images.dtype)


def erase(images: Tensor, generator: torch.Generator, *, share: float) -> Tensor:
    """Set a random rectangle to the image's mean in a `share` of the images."""
    count, _, height, width = images.shape
    low, high = ERASED_AREA
    area = (low + (high - low) * torch.rand(count, generator=generator)) * height * width
    spread = 2 * torch.rand(count, generator=generator) - 1
    aspect = torch.exp(spread * math.log(ERASED_ASPECT))
    tall = (area * aspect).sqrt().clamp(1, height)
    wide = (area / aspect).sqrt().clamp(1, width)
    down = _inside(height, tall, generator)  # (B, H)
    across = _inside(width, wide, generator)  # (B, W)
    chosen = torch.rand(count, generator=generator) < share
    hole = down[:, :, None] & across[:, None, :] & chosen[:, None, None]  # (B, H, W)
    mean = images.float().mean(dim=(2, 3), keepdim=True).round().to(images.dtype)
    return torch.where(hole[:, None], mean, images)


def _inside(length: int, extent: Tensor, generator: torch.Generator) -> Tensor:
    """Mark, for each image, the positions within a randomly placed interval of its extent."""
    start = (torch.rand(len(extent), generator=generator) * (length - extent))[:, None]
    position = torch.arange(length) + 0.5
    return (position >= start) & (position < start + extent[:, None])


def mix(
    images: Tensor, targets: Tensor, generator: torch.Generator, *, alpha: float
) -> tuple[Tensor, Tensor]:
    """Blend each image and its target with another of the batch; the images become float32."""
    count = len(images)
    partner = torch.randperm(count, generator=generator)
    weight = _beta(count, alpha, generator)
    image_weight, target_weight = weight[:, None, None, None], weight[:, None]
    mixed = images * image_weight + images[partner] * (1 - image_weight)
    return mixed, targets * target_weight + targets[partner] * (1 - target_weight)


def _beta(count: int, alpha: float, generator: torch.Generator) -> Tensor:
    """Draw Beta(alpha, alpha) as g / (g + h) of two Gamma(alpha) draws."""
    draws = torch._standard_gamma(torch.full((2, count), alpha), generator=generator)
    return draws[0] / draws.sum(dim=0).clamp_min(1e-12)
