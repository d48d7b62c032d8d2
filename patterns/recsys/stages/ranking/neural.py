"""The stage around a neural ranker: scales, loss by objective, fit, score, save and load.

Wide & Deep, DeepFM and xDeepFM differ in their network alone; all of them give one logit z for an
item's id and its features. What the logit means, the objective decides:

    ctr      log loss on taken;              z = log odds of being taken
    watch    log loss, a taken item weighing its minutes T and any other 1, so that the odds are
             exp(z) = sum T / count of not taken = E[T] / (1 - p), about the expected minutes
    rating   a second network of the same kind learns the rating r of the taken items by squared
             error; the score is log(p r), the expected rating collected by showing the item

Ratings are known of what people chose to take, so r alone says nothing of what they would not;
p keeps the product honest. The two networks share nothing, hence need no weight between losses.

Networks learn from all that was taken and from a share w of the rest. The odds among those rows are
1/w times the true ones, so the losses see z - log w, and z needs no correction when serving.

Sources: Covington et al., Deep Neural Networks for YouTube Recommendations, RecSys 2016, 4.2, for
watch time. Here minutes may be any value of 0 or more. He et al., Practical Lessons from Predicting
Clicks on Ads at Facebook, ADKDD 2014, 6.3, for learning from a share of the negatives.

Shapes: `R` rows, `F` features, `B` requests, `K` candidates.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from common.atomic import write_json
from common.training import Optimisation, TensorLoader, fit
from patterns.recsys.stages.ranking.examples import Examples, Rows
from patterns.recsys.stages.ranking.objectives import Objective, Worth, worth_at_10

CLIP = 5.0  # deviations from the mean, beyond which a feature says no more
PIECE = 8_192  # rows scored at once: what they need stays in the cache


class RankingNetwork(nn.Module):
    """What the networks share: features are standardised inside, unknown ones count as the mean.

    A network takes the number of features and its sizes, and `forward(features (R, F),
    item_ids (R,))` gives logits (R,).
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("scale", torch.ones(features))
        self.linear = nn.Linear(features, 1)  # w0 + sum_f w_f x_f

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


def item_embedding(items: int, dimension: int, std: float) -> nn.Embedding:
    """Make small vectors of `items` and of one more, unknown item."""
    table = nn.Embedding(items + 1, dimension)
    nn.init.normal_(table.weight, std=std)
    return table


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


class Heads(nn.Module):
    """The network of being taken and, for the objective rating, the one of the rating."""

    def __init__(self, taken: RankingNetwork, rating: RankingNetwork | None) -> None:
        super().__init__()
        self.taken, self.rating = taken, rating

    def forward(self, features: Tensor, item_ids: Tensor) -> Tensor:
        """Return the logit of being taken (R,)."""
        logits: Tensor = self.taken(features, item_ids)
        return logits

    def score(self, features: Tensor, item_ids: Tensor, worth: Worth) -> Tensor:
        """Return what rows are ordered by (R,)."""
        logits = self(features, item_ids)
        if self.rating is None:
            return logits
        rating = worth.mean + worth.deviation * self.rating(features, item_ids)
        rating = rating.clamp(max(worth.low, 1e-6), max(worth.high, 1e-6))
        return functional.logsigmoid(logits) + rating.log()


class NeuralRanker:
    """Trains a network on examples; a subclass names it and gives its `network`."""

    name: str
    network: type[RankingNetwork]

    def __init__(
        self,
        *,
        items: int,
        objective: Objective = "ctr",
        dimension: int = 8,
        hidden: int = 64,
        dropout: float = 0.2,
        epochs: int = 6,
        learning_rate: float = 2e-3,
        weight_decay: float = 1e-3,
        batch_size: int = 512,
        negative_share: float = 0.125,
        device: str = "auto",
        seed: int = 0,
    ) -> None:
        self.objective: Objective = objective
        self.sizes: dict[str, Any] = {
            "items": items, "dimension": dimension, "hidden": hidden, "dropout": dropout
        }  # fmt: skip
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.negative_share = negative_share
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
    ) -> Self:
        """Train for `length` epochs, or keep the epoch of the best NDCG@10 on `valid`.

        NDCG counts what the objective counts. Raises `ValueError` where the objective needs values
        and `examples` have none.
        """
        rows = examples.flat()
        self.worth_ = Worth.learn(self.objective, rows)
        log_share = math.log(self.negative_share)
        kept = rows
        if self.negative_share < 1:
            kept = examples.thinned(self.negative_share, self.seed).flat()
        tensors, loss = _targets(kept, self.worth_, log_share)
        torch.manual_seed(self.seed)
        self.network_ = self._heads(rows.features.shape[1])
        nn.init.constant_(self.network_.taken.linear.bias, log_share)  # even odds among rows kept
        for head in self.network_.children():
            head.adapt(rows.features)  # type: ignore[operator]
        self.history_ = fit(
            self.network_,
            TensorLoader(*tensors, batch_size=self.batch_size, seed=self.seed),
            loss,
            Optimisation(
                epochs=length or self.epochs,
                learning_rate=self.learning_rate,
                weight_decay=self.weight_decay,
                schedule="cosine",
                patience=3 if valid else None,
            ),
            validate=(lambda network: self._quality(network, valid)) if valid else None,
            device=self.device,
            seed=self.seed,
            checkpoint=checkpoint,
            resume=resume,
            label=self.name,
        )
        best = self.history_.best_epoch
        self.length_ = (length or self.epochs) if best is None else best + 1
        return self

    def score(self, features: np.ndarray, item_ids: np.ndarray) -> np.ndarray:
        """Score candidates (B, K): a logit, or log(p r) for ratings; padding scores -inf."""
        return _scores(self.network_, features, item_ids, self.worth_, self.sizes["items"])

    def save(self, folder: Path) -> None:
        """Write the weights as safetensors, sizes and scales as JSON."""
        from safetensors.torch import save_file

        save_file(self.network_.state_dict(), folder / "ranker.safetensors")
        columns = len(self.network_.taken.mean)
        settings = {"sizes": self.sizes, "columns": columns, "worth": asdict(self.worth_)}
        write_json(folder / "ranker.json", settings)

    def load(self, folder: Path) -> Self:
        """Read what `save` wrote."""
        from safetensors.torch import load_file

        settings = json.loads((folder / "ranker.json").read_text(encoding="utf-8"))
        self.sizes, self.worth_ = settings["sizes"], Worth(**settings["worth"])
        self.objective = self.worth_.objective
        self.network_ = self._heads(settings["columns"])
        self.network_.load_state_dict(load_file(folder / "ranker.safetensors"))
        self.network_.eval()
        return self

    def _heads(self, features: int) -> Heads:
        taken = self.network(features, **self.sizes)
        rated = self.objective == "rating"
        return Heads(taken, self.network(features, **self.sizes) if rated else None)

    def _quality(self, network: nn.Module, valid: Examples) -> float:
        assert isinstance(network, Heads)
        items = self.sizes["items"]
        scores = _scores(network, valid.features, valid.item_ids, self.worth_, items)
        return worth_at_10(scores, valid, self.worth_)


def _targets(rows: Rows, worth: Worth, log_share: float) -> tuple[tuple[np.ndarray, ...], Any]:
    """Return the tensors of a batch and the loss that reads them."""
    features, item_ids, labels, values = rows
    if worth.objective == "ctr":
        return (features, item_ids, labels), partial(_log_loss, log_share=log_share)
    if worth.objective == "watch":
        weights = np.where(labels > 0, worth.of(labels, values), 1.0).astype(np.float32)
        tensors = (features, item_ids, labels, weights / weights.mean())
        return tensors, partial(_weighted_log_loss, log_share=log_share)
    ratings = np.where(labels > 0, (values - worth.mean) / worth.deviation, np.nan)
    tensors = (features, item_ids, labels, ratings.astype(np.float32))
    return tensors, partial(_taken_and_rated, log_share=log_share)


def _log_loss(model: nn.Module, batch: tuple[Tensor, ...], *, log_share: float) -> Tensor:
    features, item_ids, labels = batch
    logits = model(features, item_ids) - log_share  # as they are among the rows kept
    return functional.binary_cross_entropy_with_logits(logits, labels)


def _weighted_log_loss(model: nn.Module, batch: tuple[Tensor, ...], *, log_share: float) -> Tensor:
    features, item_ids, labels, weights = batch
    logits = model(features, item_ids) - log_share
    return functional.binary_cross_entropy_with_logits(logits, labels, weights)


def _taken_and_rated(model: Any, batch: tuple[Tensor, ...], *, log_share: float) -> Tensor:
    features, item_ids, labels, ratings = batch
    known = ~ratings.isnan()
    error = model.rating(features[known], item_ids[known]) - ratings[known]
    squared = error.square().sum() / max(len(error), 1)  # a batch may hold no rating
    return _log_loss(model, (features, item_ids, labels), log_share=log_share) + squared


@torch.inference_mode()
def _scores(
    network: Heads, features: np.ndarray, item_ids: np.ndarray, worth: Worth, items: int
) -> np.ndarray:
    device = next(network.parameters()).device
    flat = torch.from_numpy(features.reshape(item_ids.size, features.shape[-1])).to(device)
    known = (item_ids >= 0) & (item_ids < items)  # a later item is the unknown one
    ids = torch.from_numpy(np.where(known, item_ids, items).ravel()).to(device)
    pieces = [
        network.score(rows, items, worth)
        for rows, items in zip(flat.split(PIECE), ids.split(PIECE), strict=True)
    ]
    scores = torch.cat(pieces).float().cpu().numpy().reshape(item_ids.shape)
    return np.where(item_ids < 0, -np.inf, scores).astype(np.float32)
