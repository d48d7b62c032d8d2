"""What the user had before: groceries, music, whatever is chosen more than once.

    score(u, i) = log2(1 + times u had i) + sum_{h: recent item h is i} 2^(-h / half_life)

h = 0 is the newest of the recent items. No model beats it easily where most of what people choose
they have chosen before, and no other source proposes an item because of itself. It stands in the
pipeline only where repeats are recommended (`--data.repeats`).

Source: Hu et al., Modeling Personalized Item Frequency Information for Next-basket Recommendation,
SIGIR 2020 (frequency and recency of the user's own items; the form is ours).

Shapes: `B` requests, `N` items, `K` candidates, `H` recent items.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Self

import numpy as np

from common.atomic import write_json
from common.retrieval import MISSING, Candidates, top_k
from patterns.recsys.entities.catalogue import Catalogue
from patterns.recsys.entities.events import Events
from patterns.recsys.entities.requests import Requests
from patterns.recsys.stages.candidates.source import Source

BLOCK = 2048  # requests at a time


class Again(Source):
    """The history itself, the most frequent and latest first."""

    name = "again"
    reads = frozenset()
    explains = "history"

    def __init__(self, *, half_life: float = 20.0) -> None:
        """Take the recent items after which an item counts half."""
        self.half_life = half_life

    def fit(
        self,
        events: Events,
        catalogue: Catalogue,
        *,
        checkpoint: Path | None = None,
        resume: bool = False,
    ) -> Self:
        """Learn nothing: all is in the request."""
        return self

    def retrieve(self, requests: Requests, k: int) -> Candidates:
        """Return the `k` best items of each history; none without a history."""
        parts = []
        for start in range(0, len(requests), BLOCK):
            block = requests.part(slice(start, start + BLOCK))
            scores = self._scores(block)
            parts.append(top_k(np.where(scores > 0, scores, -np.inf), k, exclude=block.barred))
        return Candidates.concatenate(parts, width=k)

    def score(self, requests: Requests, item_ids: np.ndarray) -> np.ndarray:
        """Score any items (B, K), 0 where not in the history; padding scores 0."""
        values = np.empty(item_ids.shape, dtype=np.float32)
        for start in range(0, len(requests), BLOCK):
            rows = slice(start, start + BLOCK)
            scores = self._scores(requests.part(rows))
            values[rows] = np.take_along_axis(scores, np.maximum(item_ids[rows], 0), axis=1)
        return np.where(item_ids < 0, 0.0, values).astype(np.float32)

    def _scores(self, requests: Requests) -> np.ndarray:
        """Score the whole catalogue (B, N)."""
        scores = np.asarray(requests.seen.toarray(), dtype=np.float32)
        late = np.exp2(-np.arange(requests.recent.shape[1]) / self.half_life)  # (H,)
        rows, places = np.nonzero(requests.recent != MISSING)
        np.add.at(scores, (rows, requests.recent[rows, places]), late[places])
        return scores

    def because(
        self, request: Requests, item: int, titles: np.ndarray, *, proposed: bool
    ) -> str | None:
        """Say that the user had it before."""
        return "you chose it before" if proposed else None

    def save(self, folder: Path) -> None:
        """Write the setting."""
        write_json(folder / "again.json", {"half_life": self.half_life})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        return cls(**json.loads((folder / "again.json").read_text(encoding="utf-8")))
