"""Wide & Deep: a linear model that memorises crossed features, a network that generalises, summed.

    z = w0 + sum_f w_f x_f + sum_c w_c + sum_{(f,g)} c_fg[bucket(x_f), bucket(x_g)]     wide
           + sum_{(c,d)} h[hash(c, d)]
           + MLP([x, v_1, ..., v_C])                                                     deep

Buckets end at quantiles of the training rows, and an unknown value has one of its own. A cross is a
table of one weight for each pair of buckets: age band and genre likeness, say, or hour and days
out. Codes that many rows share keep a bucket each. Which columns to cross is the designer's to say
(`crosses`); by default all pairs are, which on some thirty features is a few ten thousand weights.

Source: Cheng et al., Wide & Deep Learning for Recommender Systems, DLRS 2016. There the wide part
is trained by FTRL with L1; here both parts share AdamW, which shrinks what the data does not hold.

With a mark for the bucket of each feature, h in {0, 1}^C, all crosses together are h' W h: one
matrix product, far quicker than looking hundreds of weights up for each row. Categorical fields
have too many values for that: a pair of them (`field_crosses`) is looked up in `hash_size` weights
by the hash of its two codes, so a row costs one lookup a pair however many values there are.

Shapes: `R` rows, `F` dense features, `C` categorical fields, `M` cells: every bucket of every
feature, the last for unknown; `P` pairs of fields.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from patterns.recsys.stages.ranking.networks import FieldEmbedding, RankingNetwork, perceptron
from patterns.recsys.stages.ranking.neural import NeuralRanker


class WideDeepNetwork(RankingNetwork):
    """The network; gives logits."""

    edges: Tensor
    allowed: Tensor

    def __init__(
        self,
        features: int,
        *,
        categories: Sequence[int],
        dimension: int,
        hidden: int,
        dropout: float,
        buckets: int,
        crosses: Sequence[Sequence[int]] | None,
        field_crosses: Sequence[Sequence[int]] = (),
        hash_size: int = 2**16,
    ) -> None:
        super().__init__(features)
        self.buckets = buckets + 1
        cells = features * self.buckets  # M
        chosen = combinations(range(features), 2) if crosses is None else crosses
        self.register_buffer("edges", torch.zeros(features, buckets - 1))
        self.register_buffer("allowed", _allowed(features, self.buckets, chosen), persistent=False)
        self.field_weight = FieldEmbedding(categories, 1, std=0.0)
        self.cross_weight = nn.Parameter(torch.zeros(cells, cells))
        self.fields = FieldEmbedding(categories, dimension, std=0.05)
        self.deep = perceptron(features + len(categories) * dimension, hidden, dropout)
        self.hashed = HashedCrosses(field_crosses, hash_size) if field_crosses else None

    def adapt(self, features: np.ndarray) -> None:
        """Take scales, and as edges of the buckets the quantiles of each column's known values."""
        super().adapt(features)
        shares = np.linspace(0, 1, self.edges.shape[1] + 2)[1:-1]
        for column, values in enumerate(features.T):
            known = values[~np.isnan(values)]
            if len(known) and len(shares):
                self.edges[column] = torch.from_numpy(np.quantile(known, shares))

    def forward(self, features: Tensor, codes: Tensor) -> Tensor:
        """Return logits (R,) of `features` (R, F) and `codes` (R, C)."""
        values = self.standardised(features)
        deep = self.deep(torch.cat([values, self.fields(codes).flatten(1)], dim=1))  # (R, 1)
        first = self.linear(values) + self.field_weight(codes).sum(1)  # (R, 1)
        marks = self.cells(features)
        crossed = ((marks @ (self.cross_weight * self.allowed)) * marks).sum(1)  # (R,)
        logits = (first + deep).squeeze(1) + crossed
        return logits if self.hashed is None else logits + self.hashed(codes)

    def cells(self, features: Tensor) -> Tensor:
        """Mark the bucket that each feature falls in: 0 or 1 (R, M), one mark a feature."""
        columns = features.T.contiguous()  # (F, R)
        bucket = torch.searchsorted(self.edges, columns, right=True)
        bucket = torch.where(columns.isnan(), self.buckets - 1, bucket).T  # (R, F)
        marks = features.new_zeros(*bucket.shape, self.buckets)
        return marks.scatter_(2, bucket.unsqueeze(2), 1.0).flatten(1)


class HashedCrosses(nn.Module):
    """Weights of pairs of categorical codes, found by their hash; collisions share a weight."""

    pairs: Tensor

    def __init__(self, pairs: Sequence[Sequence[int]], size: int) -> None:
        super().__init__()
        self.register_buffer("pairs", torch.tensor([list(pair) for pair in pairs]))  # (P, 2)
        self.size = size
        self.weight = nn.Embedding(len(pairs) * size, 1)
        nn.init.zeros_(self.weight.weight)

    def forward(self, codes: Tensor) -> Tensor:
        """Return the sum of the pairs' weights (R,) of codes (R, C)."""
        first, second = codes[:, self.pairs[:, 0]], codes[:, self.pairs[:, 1]]  # (R, P) each
        place = (first * 1_000_003 + second * 7_919) % self.size  # two primes spread the codes
        place = place + torch.arange(len(self.pairs), device=codes.device) * self.size
        return self.weight(place).sum((1, 2))


def _allowed(features: int, buckets: int, crosses: Iterable[Sequence[int]]) -> Tensor:
    """Mark the weights of the chosen crosses: 0 or 1 (M, M)."""
    columns = torch.zeros(features, features)
    for first, second in crosses:
        columns[first, second] = 1.0
    return columns.repeat_interleave(buckets, 0).repeat_interleave(buckets, 1)


class WideDeep(NeuralRanker):
    """The stage; `crosses` are pairs of dense columns (all where None), cut into `buckets` each.

    `field_crosses` are pairs of categorical fields, each with `hash_size` weights.
    """

    name = "wide-deep"
    network = WideDeepNetwork

    def __init__(
        self,
        *,
        buckets: int = 8,
        crosses: Sequence[Sequence[int]] | None = None,
        field_crosses: Sequence[Sequence[int]] = (),
        hash_size: int = 2**16,
        **settings: Any,
    ) -> None:
        """Take the settings of `NeuralRanker` too."""
        super().__init__(**settings)
        self.sizes |= {
            "buckets": buckets,
            "crosses": None if crosses is None else [list(pair) for pair in crosses],
            "field_crosses": [list(pair) for pair in field_crosses],
            "hash_size": hash_size,
        }
