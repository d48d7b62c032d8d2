"""All candidate sources behind one verb: fitted together, asked together, merged with provenance.

    popularity -> segment popularity -> ALS -> item-kNN -> EASE -> two-tower -> content
                              `per_source` items each, merged to `keep`

The order is from the simplest to the most elaborate, the baseline first. Every source also scores
candidates that others found (`score_all`), because the ranker wants all opinions on each.

Shapes: `B` requests, `K` candidates, `N` items, `D` dimensions.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from common.atomic import write_json
from common.retrieval import Candidates, Fused
from patterns.recsys.entities.catalogue import Catalogue
from patterns.recsys.entities.events import Events
from patterns.recsys.entities.requests import Requests, events_with_history
from patterns.recsys.stages.candidates.als import ALS
from patterns.recsys.stages.candidates.content import Content
from patterns.recsys.stages.candidates.item_item import EASE, ItemKNN
from patterns.recsys.stages.candidates.popularity import Popularity
from patterns.recsys.stages.candidates.segment_popularity import SegmentPopularity
from patterns.recsys.stages.candidates.two_tower import TwoTower
from patterns.recsys.stages.merging import merge

if TYPE_CHECKING:
    from patterns.recsys.config import CandidateOptions


class Sources:
    """The candidate stage."""

    def __init__(
        self, members: list[Any], *, per_source: int, keep: int, tower_events: int = 200_000
    ) -> None:
        self.members = members
        self.tower_events = tower_events
        self.per_source = per_source
        self.keep = keep

    @classmethod
    def from_config(cls, config: CandidateOptions, *, device: str, seed: int) -> Sources:
        """Make the unfitted sources."""
        half_life = config.half_life_days
        als = ALS(
            factors=config.als_factors,
            iterations=config.als_iterations,
            regularization=config.als_regularization,
            confidence=config.als_confidence,
            index=config.index,
            seed=seed,
        )
        towers = TwoTower(
            dimension=config.tower_dimension,
            epochs=config.tower_epochs,
            learning_rate=config.tower_learning_rate,
            hard_negatives=config.tower_hard_negatives,
            index=config.index,
            device=device,
            seed=seed,
        )
        members = [
            Popularity(half_life_days=half_life),
            SegmentPopularity(half_life_days=half_life),
            als,
            ItemKNN(neighbours=config.neighbours, shrinkage=config.shrinkage),
            EASE(regularization=config.ease_regularization, most=config.ease_items),
            towers,
            Content(encoder=config.encoder, index=config.index),
        ]
        return cls(
            members,
            per_source=config.per_source,
            keep=config.keep,
            tower_events=config.tower_events,
        )

    def __getitem__(self, name: str) -> Any:
        return next(member for member in self.members if member.name == name)

    @property
    def names(self) -> list[str]:
        """The sources' names in their order."""
        return [member.name for member in self.members]

    def fit(
        self,
        events: Events,
        catalogue: Catalogue,
        *,
        checkpoints: Path | None = None,
        resume: bool = False,
    ) -> Sources:
        """Fit all on `events`; content reads the catalogue alone and is fitted once."""
        users, items = len(catalogue.user_ids), len(catalogue.item_ids)
        seen = events.matrix(users, items)
        self["popularity"].fit(events.items, events.times, items)
        self["segment-popularity"].fit(
            events.items,
            events.times,
            catalogue.segments[events.users],
            catalogue_size=items,
            segment_sizes=catalogue.segment_sizes,
        )
        for name in ("als", "item-knn", "ease"):
            self[name].fit(seen)
        recent, segments, taken = events_with_history(events, catalogue, most=self.tower_events)
        self["two-tower"].fit(
            recent,
            segments,
            taken,
            genres=catalogue.genres,
            years=catalogue.years,
            segment_sizes=catalogue.segment_sizes,
            checkpoint=checkpoints and checkpoints / f"two-tower-{len(events)}",
            resume=resume,
        )
        if not hasattr(self["content"], "items_"):
            self["content"].fit(catalogue.texts.tolist())
        return self

    @property
    def notices(self) -> list[str]:
        """What a user should know of how the sources came about."""
        return [self["content"].notice] if self["content"].notice else []

    def lists(self, requests: Requests, k: int | None = None) -> list[Candidates]:
        """Return each source's own `k` candidates, `per_source` by default."""
        return [member.retrieve(requests, k or self.per_source) for member in self.members]

    def merged(self, lists: list[Candidates]) -> Fused:
        """Merge what `lists` gave."""
        return merge(lists, k=self.keep)

    def retrieve(self, requests: Requests) -> Fused:
        """Return the candidates (B, keep) with who found them."""
        return self.merged(self.lists(requests))

    def score_all(self, requests: Requests, item_ids: np.ndarray) -> dict[str, np.ndarray]:
        """Return each source's opinion of the candidates (B, K)."""
        return {member.name: member.score(requests, item_ids) for member in self.members}

    def spaces(self) -> dict[str, np.ndarray]:
        """Return the unit vectors of items (N, D) in which their nearness is measured."""
        return {name: self[name].items_.unit for name in ("als", "two-tower", "content")}

    def found_by(self, bits: int) -> list[str]:
        """Name the sources of a bit mask of `Fused.found_by`."""
        return [name for place, name in enumerate(self.names) if bits >> place & 1]

    def save(self, folder: Path) -> None:
        """Write all sources."""
        for member in self.members:
            member.save(folder)
        write_json(folder / "sources.json", {"per_source": self.per_source, "keep": self.keep})

    @classmethod
    def load(cls, folder: Path) -> Sources:
        """Read what `save` wrote."""
        settings = json.loads((folder / "sources.json").read_text(encoding="utf-8"))
        made = (Popularity(), SegmentPopularity(), ALS(), ItemKNN(), EASE(), TwoTower(), Content())
        members: list[Any] = [member.load(folder) for member in made]
        return cls(members, per_source=settings["per_source"], keep=settings["keep"])
