"""DeepFM: a factorisation machine and a network over the same field embeddings, summed.

    z = w0 + sum_f w_f x_f + sum_{f<g} <v_f x_f, v_g x_g> + MLP([v_1 x_1, ..., v_F x_F])

Fields are the categorical ones (x = 1) and every dense feature (x = its standardised value). The
pairwise term is computed in linear time as half of (sum of vectors)^2 - sum of (vectors^2).

Source: Guo et al., DeepFM, IJCAI 2017. Here numeric features are fields with one vector each,
scaled by the value, instead of being cut into buckets.

Shapes: `R` rows, `F` dense features, `C` categorical fields, `D` dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from patterns.recsys.stages.ranking.networks import FieldEmbedding, RankingNetwork, perceptron
from patterns.recsys.stages.ranking.neural import NeuralRanker


class DeepFMNetwork(RankingNetwork):
    """The network; gives logits."""

    def __init__(
        self,
        features: int,
        *,
        categories: Sequence[int],
        dimension: int,
        hidden: int,
        dropout: float,
    ) -> None:
        super().__init__(features)
        self.fields = FieldEmbedding(categories, dimension, std=0.05)
        self.field_weight = FieldEmbedding(categories, 1, std=0.0)
        self.vectors = nn.Parameter(0.05 * torch.randn(features, dimension))
        self.deep = perceptron((features + len(categories)) * dimension, hidden, dropout)

    def forward(self, features: Tensor, codes: Tensor) -> Tensor:
        """Return logits (R,) of `features` (R, F) and `codes` (R, C)."""
        values = self.standardised(features)
        dense = values.unsqueeze(-1) * self.vectors  # (R, F, D)
        fields = torch.cat([dense, self.fields(codes)], dim=1)  # (R, F + C, D)
        pairs = 0.5 * (fields.sum(1).square() - fields.square().sum(1)).sum(1)  # (R,)
        first = self.linear(values) + self.field_weight(codes).sum(1)  # (R, 1)
        return first.squeeze(1) + pairs + self.deep(fields.flatten(1)).squeeze(1)


class DeepFM(NeuralRanker):
    """The stage."""

    name = "deepfm"
    network = DeepFMNetwork
