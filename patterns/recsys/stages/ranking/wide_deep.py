"""Wide & Deep: a linear model that memorises crossed features, a network that generalises, summed.

    z = w0 + sum_f w_f x_f + sum_c w_c + sum_{(f,g)} c_fg[bucket(x_f), bucket(x_g)]     wide
           + sum_{(c,d)} h[hash(c, d)]
           + MLP([x, v_1, ..., v_C])                                                     deep

Buckets end at quantiles of the training rows, and an unknown value has one of its own. A cross is a
table of one weight for each pair of buckets: age band and genre similarity, say, or hour and days
out. Codes that many rows share keep a bucket each. Which columns to cross is the designer's to say
(`crosses`); by default all pairs are, which on some thirty features is a few ten thousand weights.

Source: Cheng et al., Wide & Deep Learning for Recommender Systems, DLRS 2016. There the wide part
is trained by FTRL with L1; here both parts share AdamW, which shrinks what the data does not hold.

With a mark for the bucket of each feature, h in {0, 1}^M, all crosses together are h' W h: one
matrix product, far quicker than looking hundreds of weights up for each row. W has rows only for
features that come first in some cross. Categorical fields
have too many values for that: a pair of them (`field_crosses`) is looked up in `hash_size` weights
by the hash of its two codes, so a row costs one lookup a pair however many values there are.

Shapes: `R` rows, `F` dense features, `X` of them in some cross, `C` categorical fields, `M` cells:
every bucket of every feature, the last for unknown; `L` of them of features first in a cross; `P`
pairs of fields.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from patterns.recsys.stages.ranking.networks import FieldEmbedding, RankingNetwork, perceptron
from patterns.recsys.stages.ranking.neural import NeuralRanker


class WideDeepNetwork(RankingNetwork):
    """The network; gives logits."""

    columns: Tensor
    edges: Tensor
    first: Tensor
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
        chosen = list(combinations(range(features), 2)) if crosses is None else crosses
        columns = sorted({column for pair in chosen for column in pair})
        allowed = _allowed(features, self.buckets, chosen)  # (M, M)
        first = allowed.any(1).nonzero().squeeze(1)  # (L,)
        self.register_buffer("columns", torch.tensor(columns, dtype=torch.long), persistent=False)
        self.register_buffer("edges", torch.zeros(len(columns), buckets - 1))
        self.register_buffer("first", first, persistent=False)
        self.register_buffer("allowed", allowed[first], persistent=False)  # (L, M)
        self.field_weight = FieldEmbedding(categories, 1, std=0.0)
        self.cross_weight = nn.Parameter(torch.zeros_like(allowed[first]))
        self.fields = FieldEmbedding(categories, dimension, std=0.05)
        self.deep = perceptron(features + len(categories) * dimension, hidden, dropout)
        self.hashed = HashedCrosses(field_crosses, hash_size) if field_crosses else None

    def adapt(self, features: np.ndarray) -> None:
        """Take scales, and quantiles of the crossed columns' known values as edges of buckets."""
        super().adapt(features)
        shares = np.linspace(0, 1, self.edges.shape[1] + 2)[1:-1]
        for place, column in enumerate(self.columns.tolist()):
            known = features[~np.isnan(features[:, column]), column]
            if len(known) and len(shares):
                self.edges[place] = torch.from_numpy(np.quantile(known, shares))

    def forward(self, features: Tensor, codes: Tensor) -> Tensor:
        """Return logits (R,) of `features` (R, F) and `codes` (R, C)."""
        values = self.standardised(features)
        deep = self.deep(torch.cat([values, self.fields(codes).flatten(1)], dim=1))  # (R, 1)
        first = self.linear(values) + self.field_weight(codes).sum(1)  # (R, 1)
        marks = self.cells(features)
        weights = self.cross_weight * self.allowed
        crossed = ((marks[:, self.first] @ weights) * marks).sum(1)  # (R,)
        logits = (first + deep).squeeze(1) + crossed
        return logits if self.hashed is None else logits + self.hashed(codes)

    def cells(self, features: Tensor) -> Tensor:
        """Mark the bucket that each crossed feature falls in: 0 or 1 (R, M), one mark a feature."""
        columns = features.T[self.columns].contiguous()  # (X, R)
        bucket = torch.searchsorted(self.edges, columns, right=True)
        bucket = torch.where(columns.isnan(), self.buckets - 1, bucket).T  # (R, X)
        marks = features.new_zeros(len(features), features.shape[1] * self.buckets)
        return marks.scatter_(1, bucket + self.columns * self.buckets, 1.0)


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
        mixed = (first * 1_000_003 + second) * 2_654_435_761  # wraps; a sum of multiples alone
        place = (mixed ^ (mixed >> 17)) % self.size  # would collide along whole lines of codes
        place = place + torch.arange(len(self.pairs), device=codes.device) * self.size
        return self.weight(place).sum((1, 2))


def _allowed(features: int, buckets: int, crosses: Sequence[Sequence[int]]) -> Tensor:
    """Mark the weights of the chosen crosses: 0 or 1 (M, M)."""
    pairs = torch.zeros(features, features)
    for first, second in crosses:
        pairs[first, second] = 1.0
    return pairs.repeat_interleave(buckets, 0).repeat_interleave(buckets, 1)


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
