"""How long and how fast a pretrained encoder is fine-tuned, from how much there is to read.

With T tokens in the training set and a `budget` of tokens for the whole training there are

    epochs = min(budget / T, usual)

of them; a small set gets more, so that there are enough steps, and of a set that does not fit even
once a part is drawn. Tokens, not seconds, since the same seed must give the same model.

The rate warms up, then falls linearly to 0 (Mosbach et al. 2021 on the stability of it); small
encoders bear, and in few epochs need, a higher one.

On a CPU attention is trained written out rather than fused: a step of MiniLM takes a fifth less
time, whether texts have 16 tokens or 128 (one thread, bf16).

Shapes: N rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from common.training.optimisation import Optimisation

NARROW = 384  # hidden size up to which an encoder counts as small: MiniLM
WIDE_RATE = 5e-5


@dataclass(frozen=True)
class Length:
    """How long a task is trained, if its budget allows."""

    epochs: int
    """Usual epochs."""
    steps: int
    """At least so many steps: a small set is read more often."""
    most_epochs: int
    """But not more often than this."""

    def within(self, budget: int, *, tokens: int, batches: int) -> int:
        """Return the epochs for a set of so many tokens and batches; one at least."""
        wanted = min(max(self.epochs, -(-self.steps // max(1, batches))), self.most_epochs)
        return max(1, min(wanted, budget // max(1, tokens)))


def rows_within(budget: int, lengths: np.ndarray, *, seed: int) -> np.ndarray:
    """Return all rows of these lengths (N,), or as many as fit into the budget, drawn at random."""
    rows = np.arange(len(lengths))
    part = budget / max(1, int(lengths.sum()))
    if part >= 1:
        return rows
    return np.sort(np.random.default_rng(seed).permutation(rows)[: max(1, int(part * len(rows)))])


def usual_rate(encoder: Any, narrow: float) -> float:
    """Return the peak rate by the encoder's width: `narrow` for small ones."""
    return narrow if encoder.config.hidden_size <= NARROW else WIDE_RATE


def falling(epochs: int, learning_rate: float, warmup: float, precision: str) -> Optimisation:
    """Return the optimisation: a rate that rises over `warmup` of the steps, then falls to 0."""
    return Optimisation(
        epochs=epochs,
        learning_rate=learning_rate,
        schedule="linear",
        warmup=warmup,
        gradient_clip=1.0,
        precision=precision,
    )


@contextmanager
def plain_attention(encoder: Any, *, device: str) -> Iterator[None]:
    """Let a transformer multiply attention out while it is trained on a CPU."""
    before = encoder.config._attn_implementation
    if device == "cpu" or not torch.cuda.is_available():
        encoder.set_attn_implementation("eager")
    try:
        yield
    finally:
        encoder.set_attn_implementation(before)
