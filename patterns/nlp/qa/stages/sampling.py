"""From logits to the next token: the most likely one, or one drawn from what is likely enough.

    p_i = exp(z_i / T) / Σ_j exp(z_j / T)

A temperature T below 1 sharpens, above 1 flattens; 0 stands for its limit, the most likely token
("greedy"). Drawing from all of a large vocabulary picks an absurd token now and then, since the
many unlikely ones add up; so the tail is cut first:

- top-k keeps the k most likely tokens (Fan et al. 2018);
- top-p keeps the smallest set of most likely tokens that holds p of the probability, so many where
  the model is in doubt and few where it is sure ("nucleus", Holtzman et al. 2020).

An answer from a passage has one right wording and is generated greedily; drawing is for texts.

Shapes: B texts, V tokens of the vocabulary.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def keep_top_k(logits: Tensor, k: int) -> Tensor:
    """Set all but the `k` highest of each row of logits (B, V) to minus infinity.

    What ties with the lowest that is kept is kept too; `k` beyond V keeps all.
    """
    lowest = logits.topk(min(k, logits.shape[1])).values[:, -1:]  # (B, 1)
    return logits.masked_fill(logits < lowest, -math.inf)


def keep_top_p(logits: Tensor, p: float) -> Tensor:
    """Set to minus infinity what is not needed to reach the probability `p` in a row of (B, V).

    The most likely token always stays.
    """
    ordered, order = logits.sort(dim=1, descending=True)
    probabilities = ordered.softmax(dim=1)
    before = probabilities.cumsum(dim=1) - probabilities  # held by the tokens that are likelier
    unneeded = before >= p
    unneeded[:, 0] = False
    return logits.masked_fill(torch.zeros_like(unneeded).scatter(1, order, unneeded), -math.inf)


class Sampler:
    """Chooses one token a row; the same seed draws the same tokens."""

    def __init__(
        self, *, temperature: float = 0.0, top_k: int = 0, top_p: float = 1.0, seed: int = 0
    ) -> None:
        """`temperature` 0 is greedy; `top_k` 0 and `top_p` 1 keep all tokens."""
        ranges = {
            "temperature": (0 <= temperature < math.inf, temperature, "give 0 or more"),
            "top_k": (top_k >= 0, top_k, "give 1 or more, or 0 to keep all tokens"),
            "top_p": (0 < top_p <= 1, top_p, "give a share above 0, up to 1"),
        }
        for name, (holds, value, remedy) in ranges.items():
            if not holds:
                raise ValueError(f"{name}: {value} is out of range; {remedy}")
        self.temperature, self.top_k, self.top_p = temperature, top_k, top_p
        self.random = torch.Generator().manual_seed(seed)

    def __call__(self, logits: Tensor) -> Tensor:
        """Return tokens (B,) for logits (B, V); of equal logits the first is the greedy choice."""
        if not self.temperature:
            return logits.argmax(dim=1)
        logits = logits.float().cpu() / self.temperature
        if self.top_k:
            logits = keep_top_k(logits, self.top_k)
        if self.top_p < 1:
            logits = keep_top_p(logits, self.top_p)
        drawn = torch.multinomial(logits.softmax(dim=1), 1, generator=self.random)  # (B, 1)
        return drawn[:, 0]
