"""The source of items nobody has interacted with: placed among the others, found by their place.

ALS knows items by their events. An item without any gets the vector that its content predicts
(`placement`) and is retrieved by it like any other; a user without a history gets the new items of
the largest expected trend. Only new items are in the lists, so what the source proposes is what an
exploration slot is for, and it stands in the pipeline only where there are such slots.

Shapes: `B` requests, `N` items, `M` new ones, `K` candidates.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np

from common.retrieval import Candidates, top_k
from patterns.recsys.entities.catalogue import Catalogue
from patterns.recsys.entities.events import Events
from patterns.recsys.entities.requests import Requests
from patterns.recsys.stages.candidates.als import ALS
from patterns.recsys.stages.candidates.content import Content
from patterns.recsys.stages.candidates.popularity import Popularity
from patterns.recsys.stages.candidates.source import Source
from patterns.recsys.stages.cold_start.placement import ContentPlacement, item_content


class NewItems(Source):
    """Items without events, by what they are."""

    name = "new-items"
    reads = frozenset({"events", "attributes", "texts"})

    def __init__(
        self, *, als: ALS, content: Content | None = None, popularity: Popularity | None = None
    ) -> None:
        """Take the stages that know the other items; without `content` texts are not read."""
        self.als = als
        self.content = content
        self.popularity = popularity or Popularity()

    def lacks(self, catalogue: Catalogue) -> str | None:
        """Need items that are described, in whatever way."""
        described = catalogue.has_texts or catalogue.has_genres
        return None if described else "titles, texts or genres of items"

    def fit(
        self,
        events: Events,
        catalogue: Catalogue,
        *,
        checkpoint: Path | None = None,
        resume: bool = False,
    ) -> Self:
        """Fit ALS, content and popularity on `events`, then place what has none."""
        for stage in (self.als, self._texts(catalogue), self.popularity):
            if stage is not None:
                stage.fit(events, catalogue)
        return self.place(events, catalogue)

    def _texts(self, catalogue: Catalogue) -> Content | None:
        """Return the stage that reads texts, None where there are none to read."""
        return None if self.content is None or self.content.lacks(catalogue) else self.content

    def place(self, events: Events, catalogue: Catalogue) -> Self:
        """Place the items without events among the vectors of stages that are fitted on them."""
        counts = np.bincount(events.items, minlength=len(catalogue.item_ids))
        content = self._texts(catalogue)
        text = None if content is None else content.items_.vectors
        described = item_content(catalogue.genres, catalogue.years, text)
        trend = self.popularity.scores_
        self.placement_ = ContentPlacement().fit(described, self.als.items_.vectors, counts, trend)
        return self

    def retrieve(self, requests: Requests, k: int) -> Candidates:
        """Return the `k` unseen new items of largest predicted preference, or expected trend."""
        new = self.placement_.new_
        found = top_k(self.scores(requests)[:, new], k, exclude=requests.barred[:, new])
        return Candidates(new[found.item_ids], found.scores).where(found.item_ids >= 0)

    def score(self, requests: Requests, item_ids: np.ndarray) -> np.ndarray:
        """Score any items (B, K); padding scores 0."""
        scores = np.take_along_axis(self.scores(requests), np.maximum(item_ids, 0), axis=1)
        return np.where(item_ids < 0, 0.0, scores).astype(np.float32)

    def scores(self, requests: Requests) -> np.ndarray:
        """Score the whole catalogue (B, N); without a history by the expected trend."""
        known = np.diff(requests.seen.indptr) > 0
        products = self.als.user_vectors(requests) @ self.placement_.vectors_.T
        return np.where(known[:, None], products, self.placement_.trend_)

    def unfitted(self, **changed: Any) -> Self:
        """Return a source of the same hyperparameters, before any fit."""
        made = {"als": self.als.unfitted(), "popularity": self.popularity.unfitted()}
        return super().unfitted(**(made | changed))

    def save(self, folder: Path) -> None:
        """Write the factors and the places."""
        (folder / "als").mkdir()
        self.als.save(folder / "als")
        self.placement_.save(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        stage = cls(als=ALS.load(folder / "als"))
        stage.placement_ = ContentPlacement.load(folder)
        return stage
