"""xDeepFM: explicit interactions of bounded degree beside a network over the same fields.

The compressed interaction network (CIN) crosses the feature maps of the layer before with the
fields, dimension by dimension. X^0 (F, D) are the field vectors, layer k has H_k maps:

    X^k_{h,d} = sum_i sum_j W^k_{hij} X^{k-1}_{i,d} X^0_{j,d}        degree k + 1 in the fields
    z = w0 + sum_f w_f x_f + u . [sum_d X^1_{.,d}, ..., sum_d X^T_{.,d}] + MLP(X^0)

A factorisation machine is the case of one layer and one map with W = 1/2 and no squares. Multiplied
as written, an outer product (H, F) per row and dimension would be kept; W^k_h is of low rank here,
W_{hij} = sum_l U_{hli} V_{hlj}, which turns a layer into two matrix products and no outer product
(the paper's L-order decomposition, section 3.3).

Source: Lian et al., xDeepFM, KDD 2018. Fields as in `deepfm`: a dense one scales its vector.

Shapes: `R` rows, `F` fields of both kinds, `D` dimensions, `H` maps, `L` rank, `C` categorical
fields.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from patterns.recsys.stages.ranking.networks import FieldEmbedding, RankingNetwork, perceptron
from patterns.recsys.stages.ranking.neural import NeuralRanker


class CIN(nn.Module):
    """The compressed interaction network: field vectors (R, D, F) to sums of maps (R, sum H)."""

    def __init__(self, fields: int, maps: Sequence[int], rank: int) -> None:
        super().__init__()
        below = (fields, *maps[:-1])
        self.lower, self.fields = nn.ParameterList(), nn.ParameterList()
        for width, count in zip(below, maps, strict=True):
            self.lower.append(torch.randn(width, rank * count) / width**0.5)  # U
            self.fields.append(torch.randn(fields, rank * count) / fields**0.5)  # V
        self.rank = rank

    def forward(self, vectors: Tensor) -> Tensor:
        """Return the sums over dimensions of every layer's maps."""
        layer, sums = vectors, []
        for lower, fields in zip(self.lower, self.fields, strict=True):
            crossed = (layer @ lower) * (vectors @ fields)  # (R, D, L H)
            layer = crossed.unflatten(2, (self.rank, -1)).sum(2)  # (R, D, H)
            sums.append(layer.sum(1))
        return torch.cat(sums, dim=1)


class XDeepFMNetwork(RankingNetwork):
    """The network; gives logits."""

    def __init__(
        self,
        features: int,
        *,
        categories: Sequence[int],
        dimension: int,
        hidden: int,
        dropout: float,
        maps: Sequence[int],
        rank: int,
    ) -> None:
        super().__init__(features)
        count = features + len(categories)
        self.fields = FieldEmbedding(categories, dimension, std=0.05)
        self.field_weight = FieldEmbedding(categories, 1, std=0.0)
        self.vectors = nn.Parameter(0.05 * torch.randn(dimension, features))
        self.cin = CIN(count, maps, rank)
        self.crossed = nn.Linear(sum(maps), 1, bias=False)
        self.deep = perceptron(count * dimension, hidden, dropout)

    def forward(self, features: Tensor, codes: Tensor) -> Tensor:
        """Return logits (R,) of `features` (R, F - C) and `codes` (R, C)."""
        values = self.standardised(features)
        dense = values.unsqueeze(1) * self.vectors  # (R, D, F - C)
        fields = torch.cat([dense, self.fields(codes).transpose(1, 2)], dim=2)  # (R, D, F)
        first = self.linear(values) + self.field_weight(codes).sum(1)  # (R, 1)
        logits = first + self.crossed(self.cin(fields)) + self.deep(fields.flatten(1))
        return logits.squeeze(1)


class XDeepFM(NeuralRanker):
    """The stage; `maps` are the CIN's feature maps of each layer, `rank` that of their weights."""

    name = "xdeepfm"
    network = XDeepFMNetwork

    def __init__(self, *, maps: Sequence[int] = (16, 16), rank: int = 4, **settings: Any) -> None:
        """Take the settings of `NeuralRanker` too."""
        super().__init__(**settings)
        self.sizes |= {"maps": list(maps), "rank": rank}
