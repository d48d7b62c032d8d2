"""Content: items by their texts, a user by the mean of the items of their history.

    score(u, i) = u . v_i          v_i: unit vector of item i's text, u: decayed mean of v over
                                   the history, the newest weighing most

An item is found before anybody interacted with it, which is why new items live here first. The
encoder is a sentence transformer if available, TF-IDF + SVD if not (`common.encoders`),
fitted once on the catalogue: it reads no events, so nothing can leak.

    u = sum_h 2^(-h / half_life) v_h / sum_h 2^(-h / half_life)        h = 0 for the newest item

Source: Pazzani & Billsus, Content-Based Recommendation Systems, 2007; the decay is ours.

Shapes: `B` requests, `H` recent items, `N` items, `K` candidates, `D` dimensions.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np

from common.atomic import write_json
from common.encoders import load_encoder
from common.retrieval import MISSING, Candidates, IndexKind
from patterns.recsys.entities.catalogue import Catalogue
from patterns.recsys.entities.events import Events
from patterns.recsys.entities.requests import Requests
from patterns.recsys.stages.candidates.vectors import ItemVectors, VectorSource

SIMILAR = 0.3  # least cosine that is a reason


class Content(VectorSource):
    """Nearest texts to the texts of the user's recent items."""

    name = "content"
    reads = frozenset({"texts"})
    explains = "content"

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
        self.texts_: np.ndarray | None = None

    def lacks(self, catalogue: Catalogue) -> str | None:
        """Need items of which something is written."""
        return None if catalogue.has_texts else "titles or texts of items"

    def fit(
        self,
        events: Events,
        catalogue: Catalogue,
        *,
        checkpoint: Path | None = None,
        resume: bool = False,
    ) -> Self:
        """Encode the catalogue's texts; the same texts are not encoded twice."""
        if self.texts_ is None or not np.array_equal(self.texts_, catalogue.texts):
            self.fit_texts(catalogue.texts.tolist())
            self.texts_ = catalogue.texts
        return self

    def fit_texts(self, texts: Sequence[str]) -> Self:
        """Encode `texts` (N,); an empty text gives a zero vector, found by none."""
        encoder = load_encoder(self.encoder, dimension=self.dimension).fit(texts)
        self.notice_ = encoder.notice
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
        items = self.items_.vectors[np.maximum(requests.recent, 0)]  # (B, H, D)
        return np.einsum("bh,bhd->bd", weights.astype(np.float32), items)

    def retrieve(self, requests: Requests, k: int) -> Candidates:
        """Return the `k` unseen items of nearest text; none without a history."""
        users = self.user_vectors(requests)
        found = self.items_.retrieve(users, requests.barred, k)
        known = np.any(users, axis=1, keepdims=True)
        return found.where(known & (found.scores > 0))

    def because(
        self, request: Requests, item: int, titles: np.ndarray, *, proposed: bool
    ) -> str | None:
        """Name the recent item of the most similar text, where it is similar enough."""
        recent = request.recent[0][request.recent[0] != MISSING]
        if not len(recent):
            return None
        cosines = self.items_.vectors[recent] @ self.items_.vectors[item]
        nearest = int(np.argmax(cosines))
        if cosines[nearest] < SIMILAR:
            return None
        return f"similar to {titles[recent[nearest]]}, which you chose"

    def save(self, folder: Path) -> None:
        """Write the vectors; the encoder is not needed to serve."""
        self.items_.save(folder)
        write_json(folder / "content.json", {"half_life": self.half_life})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        settings = json.loads((folder / "content.json").read_text(encoding="utf-8"))
        stage = cls(**settings)
        stage.items_ = ItemVectors.load(folder)
        stage.index = stage.items_.kind
        return stage
