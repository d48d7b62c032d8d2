"""What the ranking networks share: standardised dense features, embedded categorical fields.

A network gives one logit for a row of dense features x and of codes c, one for each categorical
field (the item's id; of a table of clicks, also the site, the device, the advertiser):

    forward(features (R, F), codes (R, C)) -> logits (R,)

Either kind may be absent. A dense feature that is not known counts as the mean of its column; a
code that is not known has a vector of its own in each field.

Shapes: `R` rows, `F` dense features, `C` categorical fields, `D` dimensions.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import accumulate

import numpy as np
import torch
from torch import Tensor, nn

CLIP = 5.0  # deviations from the mean, beyond which a feature says no more


class RankingNetwork(nn.Module):
    """The base: scales of the dense features and their linear part, w0 + sum_f w_f x_f."""

    mean: Tensor
    scale: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("scale", torch.ones(features))
        with warnings.catch_warnings():  # without features only w0 is left, as it should be
            warnings.filterwarnings("ignore", message="Initializing zero-element tensors")
            self.linear = nn.Linear(features, 1)

    def adapt(self, features: np.ndarray) -> None:
        """Take mean and deviation of each column's known values; 0 and 1e-6 without any."""
        known = ~np.isnan(features)
        count = np.maximum(known.sum(axis=0), 1)
        mean = np.where(known, features, 0.0).sum(axis=0) / count
        spread = np.square(np.where(known, features - mean, 0.0)).sum(axis=0) / count
        self.mean.copy_(torch.from_numpy(mean))
        self.scale.copy_(torch.from_numpy(np.sqrt(spread).clip(min=1e-6)))

    def standardised(self, features: Tensor) -> Tensor:
        """Scale features (R, F) to mean 0 and deviation 1, within `CLIP`."""
        return ((features - self.mean) / self.scale).nan_to_num().clamp(-CLIP, CLIP)


class FieldEmbedding(nn.Module):
    """A small vector for each value of each categorical field, and for the unknown of each.

    The fields lie below one another in one table, so that a row is a single lookup.
    """

    offsets: Tensor

    def __init__(self, categories: Sequence[int], dimension: int, std: float) -> None:
        super().__init__()
        ends = list(accumulate(size + 1 for size in categories))
        self.table = nn.Embedding(ends[-1] if ends else 0, dimension)
        nn.init.normal_(self.table.weight, std=std)
        offsets = torch.tensor([0, *ends[:-1]] if ends else [], dtype=torch.long)
        self.register_buffer("offsets", offsets, persistent=False)

    def forward(self, codes: Tensor) -> Tensor:
        """Return the vectors (R, C, D) of codes (R, C), each from 0 to the size of its field."""
        vectors: Tensor = self.table(codes + self.offsets)
        return vectors


def known_codes(codes: np.ndarray, categories: Sequence[int]) -> np.ndarray:
    """Give codes (..., C) outside their field its unknown value, which is its size."""
    sizes = np.asarray(categories, dtype=np.int64)
    return np.where((codes >= 0) & (codes < sizes), codes, sizes)


def perceptron(width: int, hidden: int, dropout: float) -> nn.Sequential:
    """Make the deep part: two hidden layers, one logit (R, 1)."""
    return nn.Sequential(
        nn.Linear(width, hidden),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(hidden, hidden),
        nn.ReLU(),
        nn.Linear(hidden, 1),
    )
