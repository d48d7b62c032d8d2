"""Task-aligned assignment and the training loss: which cell learns which box.

For a cell a and a true box m of class c the alignment is

    t = score_c(a) ** alpha * IoU(box(a), m) ** beta        alpha = .5, beta = 6

and the `top_k` best-aligned cells whose centre lies inside m learn m; a cell wanted by two boxes
goes to the one it overlaps most. The classification target is t rescaled so that the best cell of
m gets its IoU, which makes the score an estimate of localisation too: what NMS sorts by.

Loss = 7.5 * CIoU + 0.5 * BCE + 1.5 * DFL, each weighted by the target and divided by its sum.
Sources: TOOD, Feng et al. 2021 (arXiv:2108.07755) section 3.2; CIoU, Zheng et al. 2020
(arXiv:1911.08287); distribution focal loss, Li et al. 2020 (arXiv:2006.04388).

Shapes: B images, A cells, M boxes of an image (padded, label -1), C classes, R integers a distance,
F foreground cells.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from patterns.vision.detection.stages.network import Predictions


class Targets(NamedTuple):
    """What each cell has to learn."""

    scores: Tensor  # (B, A, C) soft class targets, zero for background
    boxes: Tensor  # (B, A, 4) the box assigned, meaningless for background
    foreground: Tensor  # (B, A) bool


def overlap(boxes: Tensor, others: Tensor, *, complete: bool = False) -> Tensor:
    """Return the IoU of boxes (..., 4) that broadcast; CIoU if `complete`."""
    top_left = torch.maximum(boxes[..., :2], others[..., :2])
    bottom_right = torch.minimum(boxes[..., 2:], others[..., 2:])
    intersection = (bottom_right - top_left).clamp(min=0).prod(dim=-1)
    size, other_size = boxes[..., 2:] - boxes[..., :2], others[..., 2:] - others[..., :2]
    union = size.prod(dim=-1) + other_size.prod(dim=-1) - intersection
    iou = intersection / (union + 1e-7)
    if not complete:
        return iou
    enclosing = torch.maximum(boxes[..., 2:], others[..., 2:]) - torch.minimum(
        boxes[..., :2], others[..., :2]
    )
    diagonal = enclosing.square().sum(dim=-1) + 1e-7
    centre_shift = (boxes[..., :2] + boxes[..., 2:] - others[..., :2] - others[..., 2:]) / 2
    angle = torch.atan(size[..., 0] / (size[..., 1] + 1e-7)) - torch.atan(
        other_size[..., 0] / (other_size[..., 1] + 1e-7)
    )
    shape = (4 / math.pi**2) * angle.square()
    with torch.no_grad():  # the trade-off is a weight, not something to optimise
        weight = shape / (1 - iou + shape + 1e-7)
    return iou - centre_shift.square().sum(dim=-1) / diagonal - weight * shape


@torch.no_grad()
def assign(
    predictions: Predictions,
    boxes: Tensor,
    labels: Tensor,
    *,
    top_k: int = 10,
    alpha: float = 0.5,
    beta: float = 6.0,
) -> Targets:
    """Return task-aligned targets for boxes (B, M, 4) and labels (B, M), -1 where padded."""
    batch, classes = labels.shape[0], predictions.logits.shape[-1]
    real = labels >= 0  # (B, M)
    inside = _contains(boxes, predictions.centres) & real[..., None]  # (B, M, A)
    iou = overlap(boxes[:, :, None], predictions.boxes[:, None]) * inside  # (B, M, A)
    wanted = labels.clamp(min=0)[:, None, :].expand(-1, predictions.logits.shape[1], -1)
    score = predictions.logits.sigmoid().gather(2, wanted).transpose(1, 2)  # (B, M, A)
    alignment = score.pow(alpha) * iou.pow(beta) * inside

    best, cell = alignment.topk(min(top_k, alignment.shape[-1]), dim=-1)  # (B, M, k)
    chosen = torch.zeros_like(inside).scatter_(2, cell, best > 1e-9) & inside
    # A cell wanted by several boxes goes to the one it overlaps most.
    rival = torch.where(chosen, iou, -1.0).argmax(dim=1)  # (B, A)
    foreground = chosen.any(dim=1)  # (B, A)
    chosen &= torch.arange(labels.shape[1], device=labels.device)[None, :, None] == rival[:, None]

    alignment = alignment * chosen
    strongest = alignment.amax(dim=-1, keepdim=True)  # (B, M, 1)
    best_iou = (iou * chosen).amax(dim=-1, keepdim=True)
    weight = (alignment * best_iou / (strongest + 1e-9)).amax(dim=1)  # (B, A)
    rows = torch.arange(batch, device=labels.device)[:, None]
    target_labels = labels.clamp(min=0)[rows, rival]  # (B, A)
    scores = functional.one_hot(target_labels, classes).float() * weight[..., None]
    return Targets(scores, boxes[rows, rival], foreground)


@dataclass(frozen=True)
class DetectionLoss:
    """The training loss of one batch; gains as published for the YOLO family."""

    box_gain: float = 7.5
    class_gain: float = 0.5
    distance_gain: float = 1.5
    top_k: int = 10
    alpha: float = 0.5
    beta: float = 6.0

    def __call__(self, predictions: Predictions, boxes: Tensor, labels: Tensor) -> Tensor:
        """Return a scalar; boxes (B, M, 4) in input pixels, labels (B, M), -1 where padded."""
        targets = assign(
            predictions, boxes, labels, top_k=self.top_k, alpha=self.alpha, beta=self.beta
        )
        total = targets.scores.sum().clamp(min=1.0)
        classes = functional.binary_cross_entropy_with_logits(
            predictions.logits, targets.scores, reduction="sum"
        )
        mask = targets.foreground
        weight = targets.scores.sum(dim=-1)[mask]  # (F,)
        ciou = overlap(predictions.boxes[mask], targets.boxes[mask], complete=True)
        box = ((1 - ciou) * weight).sum()
        distance = (_distance_loss(predictions, targets.boxes, mask) * weight).sum()
        return (
            self.class_gain * classes + self.box_gain * box + self.distance_gain * distance
        ) / total


def _distance_loss(predictions: Predictions, boxes: Tensor, mask: Tensor) -> Tensor:
    """Return the cross-entropy (F,) towards the two integers around each true distance."""
    logits = predictions.distances[mask]  # (F, 4, R)
    centres = predictions.centres.expand(*mask.shape, 2)[mask]  # (F, 2)
    strides = predictions.strides.expand(mask.shape)[mask][:, None]  # (F, 1)
    sides = torch.cat([centres - boxes[mask][:, :2], boxes[mask][:, 2:] - centres], dim=-1)
    target = (sides / strides).clamp(0, logits.shape[-1] - 1.01)  # (F, 4)
    low = target.long()
    share = target - low
    log_probability = logits.log_softmax(dim=-1)
    below = log_probability.gather(-1, low[..., None])[..., 0]
    above = log_probability.gather(-1, low[..., None] + 1)[..., 0]
    return -((1 - share) * below + share * above).mean(dim=-1)


def _contains(boxes: Tensor, centres: Tensor) -> Tensor:
    """Tell whether each cell's centre lies inside each box: (B, M, A)."""
    x, y = centres[:, 0], centres[:, 1]
    x0, y0, x1, y1 = boxes[..., None].unbind(dim=2)  # each (B, M, 1)
    return (x > x0) & (x < x1) & (y > y0) & (y < y1)
