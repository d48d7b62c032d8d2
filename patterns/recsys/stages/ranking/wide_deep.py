"""Wide & Deep: a linear model that memorises crossed features, a network that generalises, summed.

    z = w0 + sum_f w_f x_f + w_item + sum_{(f,g)} c_fg[bucket(x_f), bucket(x_g)]    wide
        + MLP([x, v_item])                                                          deep

Buckets end at quantiles of the training rows, and an unknown value has one of its own. A cross is a
table of one weight for each pair of buckets: age band and genre likeness, say, or hour and days
out. Codes that many rows share keep a bucket each. Which columns to cross is the designer's to say
(`crosses`); by default all pairs are, which on some thirty features is a few ten thousand weights.

Source: Cheng et al., Wide & Deep Learning for Recommender Systems, DLRS 2016. There the wide part
is trained by FTRL with L1; here both parts share AdamW, which shrinks what the data does not hold.

With a mark for the bucket of each feature, h in {0, 1}^C, all crosses together are h' W h: one
matrix product, far quicker than looking hundreds of weights up for each row.

Shapes: `R` rows, `F` features, `C` cells: every bucket of every feature, the last for unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from patterns.recsys.stages.ranking.neural import (
    NeuralRanker,
    RankingNetwork,
    item_embedding,
    perceptron,
)


class WideDeepNetwork(RankingNetwork):
    """The network; gives logits."""

    edges: Tensor
    allowed: Tensor

    def __init__(
        self,
        features: int,
        *,
        items: int,
        dimension: int,
        hidden: int,
        dropout: float,
        buckets: int,
        crosses: Sequence[Sequence[int]] | None,
    ) -> None:
        super().__init__(features)
        self.buckets = buckets + 1
        cells = features * self.buckets  # C
        chosen = combinations(range(features), 2) if crosses is None else crosses
        self.register_buffer("edges", torch.zeros(features, buckets - 1))
        self.register_buffer("allowed", _allowed(features, self.buckets, chosen), persistent=False)
        self.item_weight = item_embedding(items, 1, std=0.0)
        self.cross_weight = nn.Parameter(torch.zeros(cells, cells))
        self.items = item_embedding(items, dimension, std=0.05)
        self.deep = perceptron(features + dimension, hidden, dropout)

    def adapt(self, features: np.ndarray) -> None:
        """Take scales, and as edges of the buckets the quantiles of each column's known values."""
        super().adapt(features)
        shares = np.linspace(0, 1, self.edges.shape[1] + 2)[1:-1]
        for column, values in enumerate(features.T):
            known = values[~np.isnan(values)]
            if len(known) and len(shares):
                self.edges[column] = torch.from_numpy(np.quantile(known, shares))

    def forward(self, features: Tensor, item_ids: Tensor) -> Tensor:
        """Return logits (R,) of `features` (R, F) and `item_ids` (R,)."""
        values = self.standardised(features)
        deep = self.deep(torch.cat([values, self.items(item_ids)], dim=1))  # (R, 1)
        first = self.linear(values) + self.item_weight(item_ids)  # (R, 1)
        held = self.cells(features)
        crossed = ((held @ (self.cross_weight * self.allowed)) * held).sum(1)  # (R,)
        return (first + deep).squeeze(1) + crossed

    def cells(self, features: Tensor) -> Tensor:
        """Mark the bucket that each feature falls in: 0 or 1 (R, C), one mark a feature."""
        columns = features.T.contiguous()  # (F, R)
        bucket = torch.searchsorted(self.edges, columns, right=True)
        bucket = torch.where(columns.isnan(), self.buckets - 1, bucket).T  # (R, F)
        marks = features.new_zeros(*bucket.shape, self.buckets)
        return marks.scatter_(2, bucket.unsqueeze(2), 1.0).flatten(1)


def _allowed(features: int, buckets: int, crosses: Iterable[Sequence[int]]) -> Tensor:
    """Mark the weights of the chosen crosses: 0 or 1 (C, C)."""
    columns = torch.zeros(features, features)
    for first, second in crosses:
        columns[first, second] = 1.0
    return columns.repeat_interleave(buckets, 0).repeat_interleave(buckets, 1)


class WideDeep(NeuralRanker):
    """The stage; `crosses` are pairs of columns (all where None), cut into `buckets` each."""

    name = "wide-deep"
    network = WideDeepNetwork

    def __init__(
        self,
        *,
        items: int,
        buckets: int = 8,
        crosses: Sequence[tuple[int, int]] | None = None,
        **settings: Any,
    ) -> None:
        """Take the settings of `NeuralRanker` too."""
        super().__init__(items=items, **settings)
        named = None if crosses is None else [list(pair) for pair in crosses]
        self.sizes |= {"buckets": buckets, "crosses": named}
