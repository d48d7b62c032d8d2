"""From a frozen encoder to a fine-tuned one without losing what the first knew.

Logistic regression on the vectors of the pretrained encoder (`frozen`) errs elsewhere than the
fine-tuned model and is better calibrated: the two together beat either. A second encoder would
double the cost of an answer, so the first is made part of the second, at three places:

- start: the classification layer begins as that regression, W / |v| and b, not at random, so that
  the first steps do not tear up the layers below it (Kumar et al. 2022, linear probing, then
  fine-tuning);
- targets: a share `guidance` of each target is what the regression says of the text when it was
  fitted without it, which spreads doubt over the labels that really compete (distillation across
  folds; Hinton et al. 2015) and tells of labels that are wrong;
- end: the weights are moved back towards the start as far as the validation texts like it,
  θ = (1 − a) θ_start + a θ_tuned with the a of least log loss (Wortsman et al. 2022, WiSE-FT).

Shapes: N texts, C classes, D dimensions.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from common.evaluation.calibration import log_loss
from common.probabilities import fit_temperature, softmax
from common.training.loop import Loss
from patterns.nlp.classification.entities.guides import Guide

SHARES = (1.0, 0.9, 0.8, 0.7)


@torch.no_grad()
def start_head(head: nn.Linear, guide: Guide, vectors: np.ndarray) -> None:
    """Let the layer begin as the regression; `vectors` (n, D) of some texts give their length."""
    length = float(np.linalg.norm(vectors, axis=1).mean())
    head.weight.copy_(torch.from_numpy(guide.weights / length))
    head.bias.copy_(torch.from_numpy(guide.bias))


def soft_loss(*, label_smoothing: float, guidance: float) -> Loss:
    """Return the loss of a batch (ids, mask, labels, taught (B, C)) against softened targets."""

    def loss(module: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        ids, mask, labels, taught = batch
        logits = module(ids, mask)  # (B, C)
        hard = nn.functional.one_hot(labels, logits.shape[1]).to(logits.dtype)
        even = label_smoothing / logits.shape[1]
        target = (1 - label_smoothing - guidance) * hard + guidance * taught + even
        return -(target * torch.log_softmax(logits, dim=1)).sum(dim=1).mean()

    return loss


def blend(
    module: nn.Module,
    start: dict[str, Tensor],
    predict: Callable[[], np.ndarray],
    labels: np.ndarray,
) -> float:
    """Move the weights towards `start` as far as validation likes, and return the share kept.

    `predict` gives the validation texts' logits (N, C); of equals the tuned weights are kept.
    """
    tuned = {name: value.detach().clone() for name, value in module.state_dict().items()}
    found = {}
    for share in SHARES:
        module.load_state_dict(_between(start, tuned, share))
        logits = predict()
        found[share] = log_loss(labels, softmax(logits, fit_temperature(logits, labels)))
    best = min(SHARES, key=lambda share: found[share])
    module.load_state_dict(_between(start, tuned, best))
    return best


def _between(start: dict[str, Tensor], tuned: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    return {
        name: torch.lerp(start[name].to(value.device), value, share)
        if value.is_floating_point()
        else value
        for name, value in tuned.items()
    }
