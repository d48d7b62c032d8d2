r"""Cross-entropy with label smoothing, straight from hidden states, without holding all logits.

    z = h E^T,   p = softmax(z),   q = (1 − s) · [v = gold] + s / V
    loss = − Σ_v q_v log p_v = logsumexp(z) − (1 − s) z_gold − s · mean(z)
    ∂loss/∂z = p − q,   so   ∂loss/∂h = (p − q) E,   ∂loss/∂E = (p − q)^T h

Label smoothing s is of Szegedy et al. 2016. The output layer is the widest of all: for 1,500 pieces
and a vocabulary of 4,000, logits and what autograd keeps of them are six million numbers several
times over, and going over them takes a third of a training step. As the gradient is known in closed
form, it is made along with the loss for `CHUNK` rows at a time, while they are in the cache.

Shapes: M pieces to be predicted, D width, V vocabulary.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

CHUNK = 256  # rows of logits that are held at once


def smoothed_loss(hidden: Tensor, weight: Tensor, gold: Tensor, smoothing: float = 0.0) -> Tensor:
    """Return the mean loss, a scalar, of hidden states (M, D), output weights (V, D), ids (M,)."""
    loss: Tensor = _SmoothedLoss.apply(hidden, weight, gold, smoothing)
    return loss


class _SmoothedLoss(torch.autograd.Function):
    """The loss, whose gradients are made in the forward pass and scaled in the backward one."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, gold: Tensor, smoothing: float) -> Tensor:
        """Return the loss; keep ∂loss/∂hidden (M, D) and ∂loss/∂weight (V, D)."""
        pieces, vocabulary = len(gold), len(weight)
        wanted = ctx.needs_input_grad[0]
        of_hidden = torch.empty_like(hidden, dtype=torch.float32) if wanted else None
        of_weight = torch.zeros_like(weight, dtype=torch.float32) if wanted else None
        total = torch.zeros((), dtype=torch.float64, device=hidden.device)
        matrix = weight.to(hidden.dtype)
        for start in range(0, pieces, CHUNK):
            rows = slice(start, start + CHUNK)
            h, ids = hidden[rows], gold[rows, None]
            z = (h @ matrix.T).float()  # (m, V)
            normaliser = z.logsumexp(dim=1, keepdim=True)  # (m, 1)
            rest = smoothing * z.mean(dim=1, keepdim=True)
            total += (normaliser - (1 - smoothing) * z.gather(1, ids) - rest).sum()
            if of_hidden is None or of_weight is None:
                continue
            slope = z.sub_(normaliser).exp_().sub_(smoothing / vocabulary)  # p - q but for gold
            slope.scatter_add_(1, ids, torch.full_like(normaliser, smoothing - 1))
            slope = slope.to(hidden.dtype)
            of_hidden[rows] = slope @ matrix
            of_weight += slope.T @ h
        ctx.dtypes = hidden.dtype, weight.dtype
        if of_hidden is not None and of_weight is not None:
            ctx.save_for_backward(of_hidden.div_(pieces), of_weight.div_(pieces))
        return (total / pieces).float()

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, Tensor, None, None]:  # type: ignore[override]
        """Return the gradients of `forward`'s arguments."""
        of_hidden, of_weight = ctx.saved_tensors
        kinds = ctx.dtypes
        return (slope * of_hidden).to(kinds[0]), (slope * of_weight).to(kinds[1]), None, None
