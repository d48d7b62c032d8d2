"""Inference on images of any size: pad what is small, cut what is large, join without seams.

An image up to a tile's size is padded by reflection to what the network can halve, and cut back.
A larger one is covered by overlapping tiles; where tiles overlap, their answers are averaged with
weights that fall linearly to the tile's border, because a network is least sure at the border,
where it sees half of an object (Ronneberger et al. 2015 call it the overlap-tile strategy).
The memory of the network is bounded by the tile; the probabilities of the whole image are kept.

Shapes: H x W pixels, C classes (1 for objects against background).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from patterns.vision.segmentation.stages.preprocess import mirror_pad


def predict_tiled(
    network: Callable[[Tensor], Tensor], image: Tensor, *, tile: int, overlap: int, multiple: int
) -> Tensor:
    """Return probabilities (C, H, W) of a standardised image (3, H, W).

    `network` maps (1, 3, h, w) to probabilities (1, C, h, w); h and w are multiples of `multiple`.
    """
    height, width = image.shape[1:]
    if height <= tile and width <= tile:
        return _padded(network, image, multiple)
    total, weights = torch.zeros(1, height, width), torch.zeros(height, width)
    for top in starts(height, tile, overlap):
        for left in starts(width, tile, overlap):
            part = image[:, top : top + tile, left : left + tile]
            weight = _ramp(part.shape[1], overlap)[:, None] * _ramp(part.shape[2], overlap)[None]
            found = _padded(network, part, multiple)
            if len(found) != len(total):
                total = total.repeat(len(found), 1, 1)  # still empty: the first tile
            place = (slice(top, top + part.shape[1]), slice(left, left + part.shape[2]))
            total[:, *place] += weight * found
            weights[place] += weight
    return total / weights


def starts(length: int, tile: int, overlap: int) -> list[int]:
    """Return the first pixels of the tiles that cover `length`; the last tile ends at its end."""
    if length <= tile:
        return [0]
    return [*range(0, length - tile, tile - overlap), length - tile]


def _padded(network: Callable[[Tensor], Tensor], image: Tensor, multiple: int) -> Tensor:
    height, width = image.shape[1:]
    down, across = -height % multiple, -width % multiple
    padded = mirror_pad(image, height + down, width + across)
    return network(padded[None])[0, :, :height, :width].cpu()


def _ramp(length: int, overlap: int) -> Tensor:
    """Return weights that rise linearly over the overlap at both ends and are 1 between."""
    position = torch.arange(length)
    from_edge = torch.minimum(position, length - 1 - position) + 1.0
    return (from_edge / (overlap + 1)).clamp(max=1.0)
