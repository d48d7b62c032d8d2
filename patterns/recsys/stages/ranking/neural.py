"""The stage around a neural ranker: scales, loss by objective, fit, score, save and load.

Wide & Deep, DeepFM and xDeepFM differ in their network alone; all of them give one logit z for a
row of dense features and categorical fields. What the logit means, the objective decides:

    ctr      log loss on clicked;            z = log odds of a click
    watch    log loss, a clicked item weighing its minutes T and any other 1, so that the odds are
             exp(z) = sum T / count of not clicked = E[T] / (1 - p), about the expected minutes
    rating   a second network of the same kind learns the rating r of the clicked items by squared
             error; the score is log(p r), the expected rating collected by showing the item

Ratings are known of what people chose, so r alone says nothing of what they would not choose; p
keeps the product unbiased. The two networks share nothing, hence need no weight between losses.

Networks learn from all positives and from a share w of the rest. The odds among those rows are 1/w
times the original ones, so the losses see z - log w, and z needs no correction when serving.

Sources: Covington et al., Deep Neural Networks for YouTube Recommendations, RecSys 2016, 4.2, for
watch time. Here minutes may be any value of 0 or more. He et al., Practical Lessons from Predicting
Clicks on Ads at Facebook, ADKDD 2014, 6.3, for learning from a share of the negatives.

Shapes: `R` rows, `F` dense features, `C` categorical fields, `B` requests, `K` places of a list.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
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
from patterns.recsys.stages.ranking.networks import RankingNetwork, known_codes
from patterns.recsys.stages.ranking.objectives import Metric, Objective, Worth, judge

PIECE = 8_192  # rows scored at once: what they need stays in the cache
PATIENCE = 3  # epochs without a better validation score


class Heads(nn.Module):
    """The network of clicks and, for the objective rating, the one of the rating."""

    def __init__(self, clicked: RankingNetwork, rating: RankingNetwork | None) -> None:
        super().__init__()
        self.clicked, self.rating = clicked, rating

    def forward(self, features: Tensor, codes: Tensor) -> Tensor:
        """Return the logit of a click (R,)."""
        logits: Tensor = self.clicked(features, codes)
        return logits

    def score(self, features: Tensor, codes: Tensor, worth: Worth) -> Tensor:
        """Return what rows are ordered by (R,)."""
        logits = self(features, codes)
        if self.rating is None:
            return logits
        rating = worth.mean + worth.deviation * self.rating(features, codes)
        rating = rating.clamp(max(worth.low, 1e-6), max(worth.high, 1e-6))
        return functional.logsigmoid(logits) + rating.log()


class NeuralRanker:
    """Trains a network on examples; a subclass names it and gives its `network`.

    `categories` are the sizes of the categorical fields. `metric` chooses the epoch: ndcg judges
    lists and counts what the objective counts; auc and log-loss judge rows, for tables of clicks.
    """

    name: str
    network: type[RankingNetwork]
    keeps_checkpoints = True

    def __init__(
        self,
        *,
        categories: Sequence[int],
        objective: Objective = "ctr",
        metric: Metric = "ndcg",
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
        if metric == "log-loss" and objective != "ctr":
            raise ValueError(
                f"metric: log-loss judges probabilities of a click, and the objective is"
                f" {objective}; use ndcg or auc"
            )
        self.objective: Objective = objective
        self.metric: Metric = metric
        self.sizes: dict[str, Any] = {
            "categories": list(categories), "dimension": dimension, "hidden": hidden,
            "dropout": dropout,
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
        """Train for `length` epochs, or keep the epoch that is best by `metric` on `valid`.

        Raises `ValueError` where the objective needs values and `examples` have none.
        """
        rows = examples.flat()
        self.worth_ = Worth.learn(self.objective, rows)
        log_share = math.log(self.negative_share)
        kept = rows
        if self.negative_share < 1:
            kept = examples.thinned(self.negative_share, self.seed).flat()
        kept = kept._replace(codes=known_codes(kept.codes, self.sizes["categories"]))
        tensors, loss = _targets(kept, self.worth_, log_share)
        self._build(rows.features, log_share)
        self.history_ = fit(
            self.network_,
            TensorLoader(*tensors, batch_size=self.batch_size, seed=self.seed),
            loss,
            self._optimisation(length, patience=PATIENCE if valid else None),
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

    def score(
        self, features: np.ndarray, codes: np.ndarray, real: np.ndarray | None = None
    ) -> np.ndarray:
        """Score features (B, K, F) and codes (B, K, C): (B, K) logits, or log(p r) for ratings.

        What is not `real` (B, K) scores -inf; without `real` all is.
        """
        scores = self._scores(self.network_, features, codes)
        return scores if real is None else np.where(real, scores, -np.inf).astype(np.float32)

    def save(self, folder: Path) -> None:
        """Write the weights as safetensors, sizes and moments as JSON."""
        from safetensors.torch import save_file

        save_file(self.network_.state_dict(), folder / "ranker.safetensors")
        columns = len(self.network_.clicked.mean)
        settings = {"sizes": self.sizes, "columns": columns, "worth": asdict(self.worth_)}
        write_json(folder / "ranker.json", settings)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        from safetensors.torch import load_file

        settings = json.loads((folder / "ranker.json").read_text(encoding="utf-8"))
        worth = Worth(**settings["worth"])
        ranker = cls(objective=worth.objective, **settings["sizes"])
        ranker.worth_, ranker.network_ = worth, ranker._heads(settings["columns"])
        ranker.network_.load_state_dict(load_file(folder / "ranker.safetensors"))
        ranker.network_.eval()
        return ranker

    def _build(self, features: np.ndarray, log_share: float) -> None:
        """Make the seeded network, its scales those of features (R, F)."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self.network_ = self._heads(features.shape[1])
        nn.init.constant_(self.network_.clicked.linear.bias, log_share)  # even odds among rows kept
        for head in self.network_.children():
            head.adapt(features)  # type: ignore[operator]

    def _heads(self, features: int) -> Heads:
        clicked = self.network(features, **self.sizes)
        rated = self.objective == "rating"
        return Heads(clicked, self.network(features, **self.sizes) if rated else None)

    def _optimisation(self, length: int | None, patience: int | None) -> Optimisation:
        return Optimisation(
            epochs=length or self.epochs,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            schedule="cosine",
            patience=patience,
        )

    def _quality(self, network: nn.Module, valid: Examples) -> float:
        assert isinstance(network, Heads)
        scores = self._scores(network, valid.features, valid.codes)
        return judge(self.metric, np.where(valid.real, scores, -np.inf), valid, self.worth_)

    @torch.inference_mode()
    def _scores(self, network: Heads, features: np.ndarray, codes: np.ndarray) -> np.ndarray:
        shape, device = features.shape[:2], next(network.parameters()).device
        rows, codes = math.prod(shape), known_codes(codes, self.sizes["categories"])
        dense = torch.from_numpy(features.reshape(rows, features.shape[-1])).to(device)
        fields = torch.from_numpy(codes.reshape(rows, codes.shape[-1])).to(device)
        pieces = [
            network.score(*piece, self.worth_)
            for piece in zip(dense.split(PIECE), fields.split(PIECE), strict=True)
        ]
        return torch.cat(pieces).float().cpu().numpy().reshape(shape)


def _targets(rows: Rows, worth: Worth, log_share: float) -> tuple[tuple[np.ndarray, ...], Any]:
    """Return the tensors of a batch and the loss that reads them."""
    features, codes, labels, values = rows
    if worth.objective == "ctr":
        return (features, codes, labels), partial(_log_loss, log_share=log_share)
    if worth.objective == "watch":
        weights = np.where(labels > 0, worth.of(labels, values), 1.0).astype(np.float32)
        tensors = (features, codes, labels, weights / weights.mean())
        return tensors, partial(_weighted_log_loss, log_share=log_share)
    ratings = np.where(labels > 0, (values - worth.mean) / worth.deviation, np.nan)
    tensors = (features, codes, labels, ratings.astype(np.float32))
    return tensors, partial(_clicked_and_rated, log_share=log_share)


def _log_loss(model: nn.Module, batch: tuple[Tensor, ...], *, log_share: float) -> Tensor:
    features, codes, labels = batch
    logits = model(features, codes) - log_share  # as they are among the rows kept
    return functional.binary_cross_entropy_with_logits(logits, labels)


def _weighted_log_loss(model: nn.Module, batch: tuple[Tensor, ...], *, log_share: float) -> Tensor:
    features, codes, labels, weights = batch
    logits = model(features, codes) - log_share
    return functional.binary_cross_entropy_with_logits(logits, labels, weights)


def _clicked_and_rated(model: Any, batch: tuple[Tensor, ...], *, log_share: float) -> Tensor:
    features, codes, labels, ratings = batch
    known = ~ratings.isnan()
    error = model.rating(features[known], codes[known]) - ratings[known]
    squared = error.square().sum() / max(len(error), 1)  # a batch may hold no rating
    return _log_loss(model, (features, codes, labels), log_share=log_share) + squared
