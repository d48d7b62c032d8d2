"""Content: items by what is written of them, a user by the mean of what they took.

    score(u, i) = u . v_i          v_i: unit vector of item i's text, u: decayed mean of v over
                                   the items taken, the newest weighing most

Nobody has to have taken an item for it to be found, which is why new items live here first. The
encoder is a sentence transformer where one can be had, TF-IDF + SVD where not (`common.encoders`),
fitted once on the catalogue: it knows nothing of events, so nothing can leak.

    u = sum_h 2^(-h / half_life) v_h / sum_h 2^(-h / half_life)        h = 0 for the newest item

Source: Pazzani & Billsus, Content-Based Recommendation Systems, 2007; the decay is ours.

Shapes: `B` requests, `H` recent items, `N` items, `K` candidates, `D` dimensions.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from common.atomic import write_json
from common.encoders import load_encoder
from common.retrieval import MISSING, Candidates, IndexKind
from patterns.recsys.entities.requests import Requests
from patterns.recsys.stages.candidates.vectors import ItemVectors


class Content:
    """Nearest texts to the texts of the user's recent items."""

    name = "content"

    def __init__(
        self,
        *,
        encoder: str = "auto",
        dimension: int = 64,
        half_life: float = 10.0,
        index: IndexKind = "flat",
    ) -> None:
        self.encoder = encoder
        self.dimension = dimension
        self.half_life = half_life
        self.index: IndexKind = index
        self.notice: str | None = None

    def fit(self, texts: Sequence[str]) -> Content:
        """Encode the catalogue's `texts` (N,); an empty text gives a zero vector, found by none."""
        encoder = load_encoder(self.encoder, dimension=self.dimension).fit(texts)
        self.notice = encoder.notice
        written = [row for row, text in enumerate(texts) if text.strip()]
        vectors = np.zeros((len(texts), encoder.dimension), dtype=np.float32)
        vectors[written] = encoder.encode([texts[row] for row in written], precision="auto")
        self.items_ = ItemVectors(vectors, kind=self.index)
        return self

    def user_vectors(self, requests: Requests) -> np.ndarray:
        """Return the decayed means (B, D); an empty history gives zeros."""
        known = requests.recent != MISSING  # (B, H)
        weights = np.exp2(-np.arange(known.shape[1]) / self.half_life) * known
        weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
        taken = self.items_.vectors[np.maximum(requests.recent, 0)]  # (B, H, D)
        return np.einsum("bh,bhd->bd", weights.astype(np.float32), taken)

    def retrieve(self, requests: Requests, k: int) -> Candidates:
        """Return the `k` unseen items of nearest text; none without a history."""
        users = self.user_vectors(requests)
        found = self.items_.retrieve(users, requests.seen, k)
        known = np.any(users, axis=1, keepdims=True)
        return found.where(known & (found.scores > 0))

    def score(self, requests: Requests, item_ids: np.ndarray) -> np.ndarray:
        """Score any items (B, K); padding scores 0."""
        return self.items_.score(self.user_vectors(requests), item_ids)

    def save(self, folder: Path) -> None:
        """Write the vectors; the encoder is not needed to serve."""
        self.items_.save(folder / "content.npz")
        write_json(folder / "content.json", {"half_life": self.half_life})

    def load(self, folder: Path) -> Content:
        """Read what `save` wrote."""
        self.half_life = json.loads((folder / "content.json").read_text())["half_life"]
        self.items_ = ItemVectors.load(folder / "content.npz")
        return self
