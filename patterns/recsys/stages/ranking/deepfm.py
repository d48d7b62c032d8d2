"""DeepFM: a factorisation machine and a network over the same field embeddings, summed.

    y = sigmoid( w0 + sum_f w_f x_f + sum_{f<g} <v_f x_f, v_g x_g> + MLP([v_1 x_1, ..., v_F x_F]) )

Fields are the item's id (x = 1) and every feature (x = its standardised value). The pairwise term
is computed in linear time as half of (sum of vectors)^2 - sum of (vectors^2).

Source: Guo et al., DeepFM, IJCAI 2017. Here numeric features are fields with one vector each,
scaled by the value, instead of being cut into buckets.

Legend: `R` rows, `F` fields, `D` dimensions.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from common.training import TensorLoader, fit
from patterns.recsys.stages.ranking.examples import Examples

CLIP = 5.0


class DeepFMNetwork(nn.Module):
    """The network; gives logits."""

    mean: Tensor
    scale: Tensor

    def __init__(
        self, features: int, items: int, dimension: int, hidden: int, dropout: float
    ) -> None:
        super().__init__()
        self.items = nn.Embedding(items + 1, dimension)
        self.item_weight = nn.Embedding(items + 1, 1)
        self.vectors = nn.Parameter(0.05 * torch.randn(features, dimension))
        self.linear = nn.Linear(features, 1)
        self.deep = nn.Sequential(
            nn.Linear((features + 1) * dimension, hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 1),
        )
        nn.init.normal_(self.items.weight, std=0.05)
        nn.init.zeros_(self.item_weight.weight)
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("scale", torch.ones(features))

    def forward(self, features: Tensor, item_ids: Tensor) -> Tensor:
        """Give logits (R,) of `features` (R, F) and `item_ids` (R,)."""
        values = ((features - self.mean) / self.scale).nan_to_num().clamp(-CLIP, CLIP)
        fields = values.unsqueeze(-1) * self.vectors  # (R, F, D)
        fields = torch.cat([fields, self.items(item_ids).unsqueeze(1)], dim=1)  # (R, F + 1, D)
        pairs = 0.5 * (fields.sum(1).square() - fields.square().sum(1)).sum(1)  # (R,)
        first = self.linear(values) + self.item_weight(item_ids)  # (R, 1)
        return first.squeeze(1) + pairs + self.deep(fields.flatten(1)).squeeze(1)


class DeepFM:
    """The stage around the network, trained for clicks by log loss."""

    name = "deepfm"

    def __init__(
        self,
        *,
        items: int,
        dimension: int = 8,
        hidden: int = 64,
        dropout: float = 0.2,
        epochs: int = 6,
        learning_rate: float = 2e-3,
        weight_decay: float = 1e-3,
        batch_size: int = 2048,
        device: str = "auto",
        seed: int = 0,
    ) -> None:
        self.items = items
        self.dimension = dimension
        self.hidden = hidden
        self.dropout = dropout
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.device = device
        self.seed = seed

    def fit(
        self,
        examples: Examples,
        valid: Examples | None = None,
        *,
        length: int | None = None,
        checkpoint: Path | None = None,
        resume: bool = False,
    ) -> DeepFM:
        """Train for `length` epochs, or keep the epoch of the best NDCG@10 on `valid`."""
        features, item_ids, labels = examples.flat()
        torch.manual_seed(self.seed)
        self.network_ = self._network(features.shape[1])
        mean, scale = _moments(features)
        self.network_.mean.copy_(mean)
        self.network_.scale.copy_(scale)
        self.history_ = fit(
            self.network_,
            TensorLoader(features, item_ids, labels, batch_size=self.batch_size, seed=self.seed),
            _log_loss,
            epochs=length or self.epochs,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            schedule="cosine",
            validate=(lambda network: _ndcg(network, valid)) if valid else None,
            patience=3 if valid else None,
            device=self.device,
            seed=self.seed,
            checkpoint=checkpoint,
            resume=resume,
            label="deepfm",
        )
        best = self.history_.best_epoch
        self.length_ = (length or self.epochs) if best is None else best + 1
        return self

    def score(self, features: np.ndarray, item_ids: np.ndarray) -> np.ndarray:
        """Score candidates (B, K) by their logit; padding scores -inf."""
        return _scores(self.network_, features, item_ids)

    def save(self, folder: Path) -> None:
        """Write the network as safetensors."""
        from safetensors.torch import save_file

        save_file(self.network_.state_dict(), folder / "ranker.safetensors")

    def load(self, folder: Path) -> DeepFM:
        """Read what `save` wrote."""
        from safetensors.torch import load_file

        state = load_file(folder / "ranker.safetensors")
        self.hidden = state["deep.0.weight"].shape[0]
        self.dimension = state["items.weight"].shape[1]
        self.network_ = self._network(state["vectors"].shape[0])
        self.network_.load_state_dict(state)
        self.network_.eval()
        return self

    def _network(self, features: int) -> DeepFMNetwork:
        return DeepFMNetwork(features, self.items, self.dimension, self.hidden, self.dropout)


def _moments(features: np.ndarray) -> tuple[Tensor, Tensor]:
    """Give mean and deviation of each column's known values; 0 and 1e-6 without any."""
    known = ~np.isnan(features)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, features, 0.0).sum(axis=0) / count
    spread = np.square(np.where(known, features - mean, 0.0)).sum(axis=0) / count
    scale = np.sqrt(spread).clip(min=1e-6)
    return torch.from_numpy(mean), torch.from_numpy(scale)


def _log_loss(model: nn.Module, batch: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    features, item_ids, labels = batch
    return nn.functional.binary_cross_entropy_with_logits(model(features, item_ids), labels)


@torch.inference_mode()
def _scores(network: nn.Module, features: np.ndarray, item_ids: np.ndarray) -> np.ndarray:
    device = next(network.parameters()).device
    flat = torch.from_numpy(features.reshape(-1, features.shape[-1])).to(device)
    ids = torch.from_numpy(np.maximum(item_ids, 0).ravel()).to(device)
    pieces = [
        network(rows, items)
        for rows, items in zip(flat.split(65536), ids.split(65536), strict=True)
    ]
    scores = torch.cat(pieces).float().cpu().numpy().reshape(item_ids.shape)
    return np.where(item_ids < 0, -np.inf, scores).astype(np.float32)


def _ndcg(network: nn.Module, valid: Examples) -> float:
    """NDCG@10 among the candidates of each request."""
    from common.evaluation.ranking import ndcg

    order = np.argsort(-_scores(network, valid.features, valid.item_ids), axis=1, kind="stable")
    ranked = np.take_along_axis(valid.labels, order, axis=1)
    return float(ndcg(ranked, valid.labels.sum(axis=1), 10).mean())
