"""Augmentation: many different training images out of two hundred.

Microscope slides have no up and no left, so every flip and quarter turn is as true as the
original; zoom and shift imitate another field of view, colour jitter another stain and lamp. All
of the geometry is one axis-aligned affine map per image, so boxes stay exact:

    input pixel = matrix @ (output pixel, 1)         boxes go through the inverse

Mosaic (Bochkovskiy et al. 2020, arXiv:2004.10934) puts four images around a random cross; it is
switched off for the last part of training, so that the statistics end where the test will be.
Everything is a pure function of the generator given: the same (seed, epoch, batch) gives the same
image, which is what makes a resumed run exact.

Shapes: B images, M boxes of an image, H x W the network's input, n boxes of one image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

GREY = 114  # fills what lies outside an image


@dataclass(frozen=True)
class Augmentation:
    """How strongly to vary; the defaults suit slides of cells."""

    mosaic: float = 0.5  # share of mosaics
    zoom: tuple[float, float] = (0.6, 1.5)
    shift: float = 0.2  # share of the image's side
    colour: float = 0.25
    quarter_turns: bool = True
    min_visible: float = 0.3  # a box cut below this share of its area is dropped

    def __call__(
        self,
        images: Sequence[np.ndarray],
        boxes: Sequence[np.ndarray],
        labels: Sequence[np.ndarray],
        rows: np.ndarray,
        *,
        size: tuple[int, int],
        rng: np.random.Generator,
        mosaic: bool = True,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return images (B, 3, H, W) in [0, 1], boxes (B, M, 4), labels (B, M) padded by -1."""
        parts = [
            _mosaic(images, boxes, labels, row, rng)
            if mosaic and rng.random() < self.mosaic
            else (images[row], boxes[row], labels[row])
            for row in rows
        ]
        batch = np.full((len(parts), *size, 3), GREY, dtype=np.uint8)
        all_boxes = []
        matrices = np.stack([self._matrix(part[0].shape[:2], size, rng) for part in parts])
        for i, (image, _, _) in enumerate(parts):
            height, width = min(image.shape[0], size[0]), min(image.shape[1], size[1])
            batch[i, :height, :width] = image[:height, :width]
        pixels = torch.from_numpy(batch).permute(0, 3, 1, 2).float()  # channels-last in memory
        pixels = self._recolour(_warp(pixels, matrices) / 255.0, rng)
        for (_, box, label), matrix in zip(parts, matrices, strict=True):
            all_boxes.append(_move(box, label, matrix, size, self.min_visible))
        return pixels, *pad(all_boxes)

    def _matrix(
        self, shape: tuple[int, int], size: tuple[int, int], rng: np.random.Generator
    ) -> np.ndarray:
        """Draw the affine map (2, 3) from output pixels to input pixels."""
        turns = rng.integers(4) if self.quarter_turns else 0
        cosine, sine = [(1, 0), (0, 1), (-1, 0), (0, -1)][turns]
        mirror = rng.choice([-1, 1])
        zoom = np.exp(rng.uniform(*np.log(self.zoom)))
        linear = np.array([[cosine, -sine], [sine, cosine]]) @ np.diag([mirror, 1]) / zoom
        shift = rng.uniform(-self.shift, self.shift, size=2) * shape[::-1]
        centre_in = np.array(shape[::-1]) / 2 + shift
        centre_out = np.array(size[::-1]) / 2
        return np.column_stack([linear, centre_in - linear @ centre_out])

    def _recolour(self, images: Tensor, rng: np.random.Generator) -> Tensor:
        """Change brightness, contrast, saturation and tint, drawn anew for each image."""
        count, spread = len(images), self.colour
        gain = 1 + torch.from_numpy(rng.uniform(-spread, spread, (count, 1, 1, 1))).float()
        tint = 1 + torch.from_numpy(rng.uniform(-spread, spread, (count, 3, 1, 1)) / 3).float()
        vivid = 1 + torch.from_numpy(rng.uniform(-spread, spread, (count, 1, 1, 1)) * 2).float()
        light = torch.from_numpy(rng.uniform(-spread, spread, (count, 1, 1, 1)) / 2).float()
        grey = images.mean(dim=1, keepdim=True)
        images = grey + (images - grey) * vivid
        return ((images - 0.5) * gain * tint + 0.5 + light).clamp_(0, 1)


def _mosaic(
    images: Sequence[np.ndarray],
    boxes: Sequence[np.ndarray],
    labels: Sequence[np.ndarray],
    row: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Put four images around a random cross, each giving its own part of the canvas."""
    height, width = images[row].shape[:2]
    canvas = np.full_like(images[row], GREY)
    x, y = (rng.uniform(0.3, 0.7, 2) * (width, height)).astype(int)
    parts = [row, *rng.integers(len(images), size=3)]
    corners = [(0, 0, x, y), (x, 0, width, y), (0, y, x, height), (x, y, width, height)]
    kept_boxes, kept_labels = [], []
    for part, (x0, y0, x1, y1) in zip(parts, corners, strict=True):
        source = images[part][y0:y1, x0:x1]
        canvas[y0 : y0 + source.shape[0], x0 : x0 + source.shape[1]] = source
        clipped, keep = _clip(boxes[part], np.array([x0, y0, x1, y1]), 0.3)
        kept_boxes.append(clipped[keep])
        kept_labels.append(labels[part][keep])
    return canvas, np.concatenate(kept_boxes), np.concatenate(kept_labels)


def _warp(images: Tensor, matrices: np.ndarray) -> Tensor:
    """Resample images (B, 3, H, W) by pixel matrices (B, 2, 3), grey outside."""
    height, width = images.shape[-2:]
    half = np.array([width / 2, height / 2])
    # affine_grid wants both sides in [-1, 1]: pixel = half * (unit + 1)
    linear = matrices[:, :, :2] * half[None, None, :] / half[None, :, None]
    offset = (matrices[:, :, :2] @ half + matrices[:, :, 2]) / half - 1
    theta = torch.from_numpy(np.concatenate([linear, offset[:, :, None]], axis=2)).float()
    grid = functional.affine_grid(theta, list(images.shape), align_corners=False)
    warped = functional.grid_sample(images - GREY, grid, align_corners=False)
    return warped + GREY


def _move(
    boxes: np.ndarray,
    labels: np.ndarray,
    matrix: np.ndarray,
    size: tuple[int, int],
    min_visible: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Move boxes by the inverse of the pixel map, clip them, drop the nearly invisible."""
    inverse = np.linalg.inv(matrix[:, :2])
    first = (boxes[:, :2] - matrix[:, 2]) @ inverse.T
    second = (boxes[:, 2:] - matrix[:, 2]) @ inverse.T
    moved = np.concatenate([np.minimum(first, second), np.maximum(first, second)], axis=1)
    clipped, keep = _clip(moved, np.array([0, 0, size[1], size[0]]), min_visible)
    return clipped[keep].astype(np.float32), labels[keep]


def _clip(
    boxes: np.ndarray, window: np.ndarray, min_visible: float
) -> tuple[np.ndarray, np.ndarray]:
    """Cut boxes (n, 4) to the window; tell which keep at least that share of their area."""
    clipped = np.concatenate(
        [
            np.clip(boxes[:, :2], window[:2], window[2:]),
            np.clip(boxes[:, 2:], window[:2], window[2:]),
        ],
        axis=1,
    )
    area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    visible = (clipped[:, 2:] - clipped[:, :2]).prod(axis=1)
    return clipped, visible >= np.maximum(min_visible * area, 4.0)


def pad(boxes: list[tuple[np.ndarray, np.ndarray]]) -> tuple[Tensor, Tensor]:
    """Turn ragged boxes and labels into (B, M, 4) and (B, M), label -1 where nothing is."""
    most = max(1, max((len(label) for _, label in boxes), default=1))
    padded = torch.zeros(len(boxes), most, 4)
    labels = torch.full((len(boxes), most), -1, dtype=torch.int64)
    for i, (box, label) in enumerate(boxes):
        padded[i, : len(box)] = torch.from_numpy(box)
        labels[i, : len(label)] = torch.from_numpy(label)
    return padded, labels
