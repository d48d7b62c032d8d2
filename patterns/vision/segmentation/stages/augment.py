"""Crops and their random changes: what an object looks like does not depend on place and light.

From each image of the batch one square is cut, at a random place and, with zoom, from a square
somewhat larger or smaller that is then scaled to the crop's side. After that all changes act on the
whole batch at once: mirroring, quarter turns where there is no up (a nucleus has none, a street
has), shifts of contrast and brightness per image and per colour channel (what stains and lamps do),
and now and then no colour at all, so that a stain never seen is still an image of light and dark.
Image and mask move together; the mask is scaled by nearest neighbour so that its values stay.

Shapes: B crops of s x s pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from patterns.vision.segmentation.stages.preprocess import mirror_pad


class CropAugment:
    """Cuts crops out of images of any size and changes them; draws from the given generator."""

    def __init__(
        self,
        *,
        crop: int = 96,
        zoom: float = 0.25,
        brightness: float = 0.2,
        contrast: float = 0.2,
        grey: float = 0.2,
        turn: bool = True,
    ) -> None:
        self.crop, self.zoom, self.grey, self.turn = crop, zoom, grey, turn
        self.brightness, self.contrast = brightness, contrast

    def __call__(
        self, images: Sequence[Tensor], masks: Sequence[Tensor], generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Turn images float32 (3, H, W), masks float32 (H, W) into (B, 3, s, s) and (B, s, s)."""
        pairs = [
            self._cut(image, mask, generator) for image, mask in zip(images, masks, strict=True)
        ]
        cut = torch.stack([torch.cat([image, mask[None]]) for image, mask in pairs])  # (B, 4, s, s)
        cut = turn(cut, generator) if self.turn else mirror(cut, 3, generator)
        return self._relight(cut[:, :3], generator), cut[:, 3]

    def _cut(
        self, image: Tensor, mask: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Cut one square and scale it to the crop's side."""
        side = self.crop
        if self.zoom:
            exponent = 2 * torch.rand(1, generator=generator).item() - 1
            side = round(self.crop * (1 + self.zoom) ** exponent)
        image, mask = mirror_pad(image, side, side), mirror_pad(mask[None], side, side)[0]
        top = _below(image.shape[1] - side + 1, generator)
        left = _below(image.shape[2] - side + 1, generator)
        image = image[:, top : top + side, left : left + side]
        mask = mask[top : top + side, left : left + side]
        if side != self.crop:
            size = (self.crop, self.crop)
            image = functional.interpolate(image[None], size, mode="bilinear", antialias=True)[0]
            mask = functional.interpolate(mask[None, None], size, mode="nearest")[0, 0]
        return image, mask

    def _relight(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Scale and shift the brightness of each image and of each channel; take some colours."""
        count = len(images)
        colourless = torch.rand(count, 1, 1, 1, generator=generator) < self.grey
        images = torch.where(colourless, images.mean(dim=1, keepdim=True), images)
        one = torch.randn(count, 1, 1, 1, generator=generator)
        each = torch.randn(count, 3, 1, 1, generator=generator)
        factor = torch.exp(self.contrast * (one + each * ~colourless / 2))
        shift = self.brightness * torch.randn(count, 1, 1, 1, generator=generator)
        return images * factor + shift


def turn(batch: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror each square (B, C, s, s) or not, and turn it by 0, 90, 180 or 270 degrees."""
    for axis in (2, 3):
        batch = mirror(batch, axis, generator)
    transposed = torch.rand(len(batch), generator=generator) < 0.5
    return torch.where(transposed[:, None, None, None], batch.transpose(2, 3), batch)


def mirror(batch: Tensor, axis: int, generator: torch.Generator) -> Tensor:
    """Mirror each square of (B, C, s, s) along an axis, or not."""
    chosen = torch.rand(len(batch), generator=generator) < 0.5
    return torch.where(chosen[:, None, None, None], batch.flip(axis), batch)


def _below(limit: int, generator: torch.Generator) -> int:
    return int(torch.randint(limit, (1,), generator=generator))
