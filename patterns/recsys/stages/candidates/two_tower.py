"""Two towers: a network for the user at a moment, one for the item, met by an inner product.

The user tower reads the recent items and the user's attributes, never the user's id, so a user it
was not trained on is served like any other. The item tower reads the id, the genres and the year.
Training is a softmax over the items of the batch, where item j stands in for a negative as often
as it is popular; the logQ correction takes that bias out:

    loss = - log softmax_j( u . v_j / temperature - log q_j )        q_j = share of item j's events

Items of the batch are mostly easy to tell apart. So each step also draws a pool of items evenly
from the catalogue and adds, for each user, the `hard_negatives` of them that score highest and are
not in the recent history, with log q = -log N of an even draw. (Items of the history as negatives
did worse on validation: they are what the user likes.)

Sources: Yi et al., Sampling-Bias-Corrected Neural Modeling, RecSys 2019 (the correction; here q is
counted rather than estimated on a stream); Covington et al., RecSys 2016 (history by average); Yang
et al., Mixed Negative Sampling, WWW 2020 (the even draw).

Shapes: `B` requests, `H` recent items, `N` items, `D` dimensions, `G` genres, `S` attributes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from common.retrieval import IndexKind
from common.training import Optimisation, TensorLoader, fit
from patterns.recsys.entities.catalogue import Catalogue
from patterns.recsys.entities.events import Events
from patterns.recsys.entities.requests import Requests, events_with_history
from patterns.recsys.stages.candidates.vectors import ItemVectors, VectorSource


class Towers(nn.Module):
    """The two networks; both end in unit vectors."""

    genres: Tensor
    years: Tensor

    def __init__(
        self, genres: Tensor, years: Tensor, segment_sizes: Sequence[int], dimension: int
    ) -> None:
        super().__init__()
        items = len(genres)
        self.register_buffer("genres", genres)  # (N, G)
        self.register_buffer("years", years)  # (N, 1) standardised
        self.item_id = nn.Embedding(items + 1, dimension, padding_idx=items)
        self.item_genres = nn.Linear(genres.shape[1] + 1, dimension)
        self.history = nn.EmbeddingBag(items + 1, dimension, mode="mean", padding_idx=items)
        self.segments = nn.ModuleList(nn.Embedding(size, dimension) for size in segment_sizes)
        self.user_out = _mlp(dimension)
        self.item_out = _mlp(dimension)
        for table in (self.item_id, self.history, *self.segments):
            nn.init.normal_(table.weight, std=0.05)

    def users(self, recent: Tensor, segments: Tensor) -> Tensor:
        """Embed users by `recent` (B, H), -1 padded, and `segments` (B, S)."""
        past = self.history(recent.where(recent >= 0, self.history.num_embeddings - 1))  # (B, D)
        who = sum(table(segments[:, s]) for s, table in enumerate(self.segments))
        return nn.functional.normalize(self.user_out(past + who), dim=-1)

    def items(self, item_ids: Tensor) -> Tensor:
        """Embed items by id (B,)."""
        content = torch.cat([self.genres[item_ids], self.years[item_ids]], dim=1)
        mixed = self.item_id(item_ids) + self.item_genres(content)
        return nn.functional.normalize(self.item_out(mixed), dim=-1)


def _mlp(dimension: int) -> nn.Module:
    return nn.Sequential(nn.ReLU(), nn.Linear(dimension, dimension))


class TwoTower(VectorSource):
    """The stage around the towers; without a history it leaves the page to popularity.

    Attributes alone place a user worse than popularity does.
    """

    name = "two-tower"
    reads = frozenset({"events", "attributes"})

    def __init__(
        self,
        *,
        dimension: int = 64,
        epochs: int = 8,
        most_events: int | None = None,
        learning_rate: float = 0.01,
        batch_size: int = 1024,
        temperature: float = 0.1,
        weight_decay: float = 1e-4,
        logq: bool = True,
        hard_negatives: int = 8,
        pool: int = 256,
        index: IndexKind = "flat",
        device: str = "auto",
        seed: int = 0,
    ) -> None:
        self.dimension = dimension
        self.epochs = epochs
        self.most_events = most_events
        """It learns from the `most_events` latest events; None takes all."""
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.temperature = temperature
        self.weight_decay = weight_decay
        self.logq = logq
        """Without it the softmax of the batch holds popular items down."""
        self.hard_negatives = hard_negatives
        self.pool = pool
        self.index: IndexKind = index
        self.device = device
        self.seed = seed

    def fit(
        self,
        events: Events,
        catalogue: Catalogue,
        *,
        checkpoint: Path | None = None,
        resume: bool = False,
    ) -> Self:
        """Learn which item each event's user chose after the history before it."""
        torch.manual_seed(self.seed)
        recent, segments, items = events_with_history(events, catalogue, most=self.most_events)
        genres, years = torch.from_numpy(catalogue.genres), _standardised(catalogue.years)
        self.towers_ = Towers(genres, years, catalogue.segment_sizes, self.dimension)
        share = np.bincount(items, minlength=len(genres)) / len(items)
        if not self.logq:
            share = np.full(len(genres), 1 / len(genres))
        self.log_share_ = torch.from_numpy(np.log(np.maximum(share, 1e-9)).astype(np.float32))
        loader = TensorLoader(
            recent.astype(np.int64), segments, items, batch_size=self.batch_size, seed=self.seed
        )
        self.history_ = fit(
            self.towers_,
            loader,
            self._loss,
            Optimisation(
                epochs=self.epochs,
                learning_rate=self.learning_rate,
                weight_decay=self.weight_decay,
                schedule="one-cycle",
            ),
            device=self.device,
            seed=self.seed,
            checkpoint=checkpoint,
            resume=resume,
            label="two-tower",
        )
        return self._indexed()

    def _loss(self, model: nn.Module, batch: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        recent, segments, items = batch
        towers: Any = getattr(model, "module", model)
        users = towers.users(recent, segments) / self.temperature  # (B, D)
        share = self.log_share_.to(items.device)[items]
        logits = torch.addmm(-share, users, towers.items(items).T)  # (B, B)
        same = (items[:, None] == items).fill_diagonal_(False)
        logits = logits.masked_fill_(same, -torch.inf)  # the positive is not its own negative
        if self.hard_negatives:
            logits = torch.cat([logits, self._hard(towers, users, recent, items)], dim=1)
        return nn.functional.cross_entropy(logits, torch.arange(len(items), device=items.device))

    def _hard(self, towers: Towers, users: Tensor, recent: Tensor, items: Tensor) -> Tensor:
        """Return the logits (B, hard_negatives) of the hardest items of an even draw."""
        size = len(towers.genres)
        drawn = torch.randperm(size, device=items.device)[: self.pool]
        even = torch.full((len(drawn),), float(np.log(size)), device=items.device)  # -log q
        logits = torch.addmm(even, users, towers.items(drawn).T)
        place = torch.full((size + 1,), len(drawn), device=items.device)  # of an item in the pool
        place[drawn] = torch.arange(len(drawn), device=items.device)
        known = place[torch.cat([recent, items[:, None]], dim=1)]  # (B, H + 1); -1 is not drawn
        mask = torch.zeros(len(items), len(drawn) + 1, dtype=torch.bool, device=items.device)
        logits = logits.masked_fill_(mask.scatter_(1, known, True)[:, :-1], -torch.inf)
        return logits.topk(min(self.hard_negatives, len(drawn)), dim=1).values

    @torch.inference_mode()
    def user_vectors(self, requests: Requests) -> np.ndarray:
        """Embed the requests' users: (B, D) of unit length."""
        recent = torch.from_numpy(requests.recent.astype(np.int64))
        return self.towers_.users(recent, torch.from_numpy(requests.segments)).numpy()

    def save(self, folder: Path) -> None:
        """Write the towers as safetensors; the index is rebuilt from them."""
        from safetensors.torch import save_file

        kind: dict[str, str] = {"index": self.index}
        save_file(self.towers_.state_dict(), folder / "two_tower.safetensors", metadata=kind)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        from safetensors import safe_open

        with safe_open(folder / "two_tower.safetensors", "pt") as file:
            stage = cls(index=file.metadata()["index"])
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        sizes = [len(state[key]) for key in sorted(state) if key.startswith("segments.")]
        width = state["item_id.weight"].shape[1]
        stage.dimension = width
        stage.towers_ = Towers(state["genres"], state["years"], sizes, width)
        stage.towers_.load_state_dict(state)
        stage.towers_.eval()
        return stage._indexed()

    @torch.inference_mode()
    def _indexed(self) -> Self:
        vectors = self.towers_.items(torch.arange(len(self.towers_.genres)))
        self.items_ = ItemVectors(vectors.numpy(), kind=self.index)
        return self


def _standardised(years: np.ndarray) -> Tensor:
    """Return the years with mean 0 and deviation 1, an unknown one as the mean: (N, 1)."""
    known = years[~np.isnan(years)]
    if not len(known):
        return torch.zeros(len(years), 1)
    scaled = (years - known.mean()) / max(known.std(), 1.0)
    return torch.from_numpy(np.nan_to_num(scaled).astype(np.float32)).unsqueeze(1)
