"""DeepFM: a factorisation machine and a network over the same field embeddings, summed.

    z = w0 + sum_f w_f x_f + sum_{f<g} <v_f x_f, v_g x_g> + MLP([v_1 x_1, ..., v_F x_F])

Fields are the item's id (x = 1) and every feature (x = its standardised value). The pairwise term
is computed in linear time as half of (sum of vectors)^2 - sum of (vectors^2).

Source: Guo et al., DeepFM, IJCAI 2017. Here numeric features are fields with one vector each,
scaled by the value, instead of being cut into buckets.

Shapes: `R` rows, `F` features, `D` dimensions.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from patterns.recsys.stages.ranking.neural import (
    NeuralRanker,
    RankingNetwork,
    item_embedding,
    perceptron,
)


class DeepFMNetwork(RankingNetwork):
    """The network; gives logits."""

    def __init__(
        self, features: int, *, items: int, dimension: int, hidden: int, dropout: float
    ) -> None:
        super().__init__(features)
        self.items = item_embedding(items, dimension, std=0.05)
        self.item_weight = item_embedding(items, 1, std=0.0)
        self.vectors = nn.Parameter(0.05 * torch.randn(features, dimension))
        self.deep = perceptron((features + 1) * dimension, hidden, dropout)

    def forward(self, features: Tensor, item_ids: Tensor) -> Tensor:
        """Return logits (R,) of `features` (R, F) and `item_ids` (R,)."""
        values = self.standardised(features)
        fields = values.unsqueeze(-1) * self.vectors  # (R, F, D)
        fields = torch.cat([fields, self.items(item_ids).unsqueeze(1)], dim=1)  # (R, F + 1, D)
        pairs = 0.5 * (fields.sum(1).square() - fields.square().sum(1)).sum(1)  # (R,)
        first = self.linear(values) + self.item_weight(item_ids)  # (R, 1)
        return first.squeeze(1) + pairs + self.deep(fields.flatten(1)).squeeze(1)


class DeepFM(NeuralRanker):
    """The stage."""

    name = "deepfm"
    network = DeepFMNetwork
