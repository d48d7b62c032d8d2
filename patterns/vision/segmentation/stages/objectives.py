"""What a network learns from masks: object or background, or one of several classes.

    Foreground   L = BCE(z, y) + λ · (1 − Dice),     Dice = (2 Σ p y + 1) / (Σ p + Σ y + 1)
    Classes      L = CE(z, y) + λ · (1 − mean over classes of Dice),   unlabelled pixels left out

Cross-entropy gives every pixel a clean gradient but is content with the largest class where others
are few; Dice is what is measured later and does not care how much background there is (Milletari
et al. 2016, "V-Net"; the 1 keeps an empty crop defined). For objects it is computed per crop; for
classes over the batch, on the classes that occur in it.

Shapes: B crops of s x s pixels, C classes; images H x W.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from common.evaluation.segmentation import confusion_iou, iou, pixel_confusion
from common.images import UNLABELLED


class Objective(Protocol):
    """One task of a network: its channels, its loss and how it is judged."""

    channels: int

    def targets(self, mask: np.ndarray) -> Tensor:
        """Return what is learned of a mask, float32 (H, W)."""

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of (B, channels, s, s) against (B, s, s), a scalar."""

    def probabilities(self, logits: Tensor) -> Tensor:
        """Turn (B, channels, H, W) into probabilities of the same shape."""

    def score(self, probabilities: Iterable[np.ndarray], masks: Sequence[np.ndarray]) -> float:
        """Return the metric of whole images; higher is better."""


class Foreground:
    """Object or background; masks number the objects."""

    channels = 1

    def __init__(self, *, dice_weight: float = 1.0) -> None:
        self.dice_weight = dice_weight

    def targets(self, mask: np.ndarray) -> Tensor:
        """Return 1 for an object, 0 for background, float32 (H, W)."""
        return torch.from_numpy((mask > 0).astype(np.float32))

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return cross-entropy plus Dice."""
        logits = logits[:, 0]
        pixels = functional.binary_cross_entropy_with_logits(logits, targets)
        return pixels + self.dice_weight * dice_loss(torch.sigmoid(logits), targets)

    def probabilities(self, logits: Tensor) -> Tensor:
        """Return the probability of an object."""
        return torch.sigmoid(logits)

    def score(self, probabilities: Iterable[np.ndarray], masks: Sequence[np.ndarray]) -> float:
        """Return the mean IoU over images (H, W) at a threshold of one half."""
        said = [each > 0.5 for each in probabilities]
        return float(iou(said, [mask > 0 for mask in masks]).mean())


class Classes:
    """One of `classes` classes; masks hold the class of each pixel or `UNLABELLED`."""

    def __init__(self, *, classes: int, dice_weight: float = 1.0) -> None:
        self.channels, self.dice_weight = classes, dice_weight

    def targets(self, mask: np.ndarray) -> Tensor:
        """Return the class numbers, float32 (H, W)."""
        return torch.from_numpy(mask.astype(np.float32))

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return cross-entropy plus Dice over the labelled pixels; without any, 0."""
        truth = targets.long()
        known = truth != UNLABELLED  # (B, s, s)
        pixels = functional.cross_entropy(
            logits, truth, ignore_index=UNLABELLED, reduction="sum"
        ) / known.sum().clamp(min=1)
        if not self.dice_weight:
            return pixels
        probabilities = torch.softmax(logits, dim=1)
        return pixels + self.dice_weight * classes_dice_loss(probabilities, truth, known)

    def probabilities(self, logits: Tensor) -> Tensor:
        """Return the probability of each class."""
        return torch.softmax(logits, dim=1)

    def score(self, probabilities: Iterable[np.ndarray], masks: Sequence[np.ndarray]) -> float:
        """Return the mean over classes of the pooled IoU of images (C, H, W)."""
        counts = np.zeros((self.channels, self.channels), np.int64)
        for each, mask in zip(probabilities, masks, strict=True):
            said = each.argmax(axis=0)
            counts += pixel_confusion([said], [mask], self.channels, ignored=UNLABELLED)
        return float(np.nanmean(confusion_iou(counts))) if counts.any() else 0.0


def dice_loss(probabilities: Tensor, masks: Tensor) -> Tensor:
    """Return 1 − Dice, averaged over crops; both (B, s, s)."""
    shared = (probabilities * masks).sum(dim=(1, 2))
    total = probabilities.sum(dim=(1, 2)) + masks.sum(dim=(1, 2))
    return 1 - ((2 * shared + 1) / (total + 1)).mean()


def classes_dice_loss(probabilities: Tensor, truth: Tensor, known: Tensor) -> Tensor:
    """Return 1 − Dice, averaged over the classes of the batch; (B, C, s, s), twice (B, s, s)."""
    count = probabilities.shape[1]
    one_hot = functional.one_hot(truth.where(known, 0), count).permute(0, 3, 1, 2)  # (B, C, s, s)
    one_hot = one_hot * known[:, None]
    shared = (probabilities * one_hot).sum(dim=(0, 2, 3))  # (C,)
    there = one_hot.sum(dim=(0, 2, 3))
    total = (probabilities * known[:, None]).sum(dim=(0, 2, 3)) + there
    present = (there > 0).float()
    dice = (2 * shared + 1) / (total + 1)
    return ((1 - dice) * present).sum() / present.sum().clamp(min=1)
