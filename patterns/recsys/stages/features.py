"""One row of numbers for each request and candidate, by one function offline and online.

The ranker sees what the sources think (score and rank), what the item is (counts, age, rating),
what the user is (attributes, length of history), when and on which device it is, and how the two
meet: similarity of genres, and nearness of the candidate to the latest items of the history. Of
each further context column of the events it sees the code and how much likelier the item is under
it. Item
statistics are fitted on the same events as the sources, so nothing later than the fit reaches a
feature.

Shapes: `B` requests, `K` candidates, `N` items, `F` features, `G` genres, `H` recent items,
`C` context columns, `V` codes of one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from common.units import DAY
from common.vectors import unit_rows
from patterns.recsys.entities.catalogue import Catalogue
from patterns.recsys.entities.events import Events
from patterns.recsys.entities.requests import Requests

if TYPE_CHECKING:
    from patterns.recsys.stages.candidates.sources import Sources

LAST = 10
CONTEXT_PRIOR = 100.0  # events
ITEM_COLUMNS = ("log count", "recent share", "days out", "mean rating", "year", "minutes")


class Features:
    """Item statistics and the function that joins them with a request."""

    def __init__(self, *, recent_days: float = 30.0, rating_prior: float = 10.0) -> None:
        self.recent_days = recent_days
        self.rating_prior = rating_prior

    def fit(self, events: Events, catalogue: Catalogue) -> Self:
        """Count the items of `events`, all together and by the context columns after the device."""
        size = len(catalogue.item_ids)
        now = events.times.max(initial=0)
        count = np.bincount(events.items, minlength=size)
        late = events.items[events.times > now - self.recent_days * DAY]
        first = np.full(size, now, dtype=np.int64)
        np.minimum.at(first, events.items, events.times)
        self.items_ = np.stack(
            [
                np.log1p(count),
                np.bincount(late, minlength=size) / np.maximum(count, 1),
                (now - first) / DAY,
                _shrunk_mean(events, size, self.rating_prior),
                catalogue.years,
                catalogue.runtimes,
            ],
            axis=1,
        ).astype(np.float32)  # (N, 6)
        self.genres_ = unit_rows(catalogue.genres).astype(np.float32)  # (N, G)
        own = zip(events.contexts.T[1:], list(catalogue.contexts.values())[1:], strict=False)
        self.lifts_ = [_lift(codes, events.items, (len(values) + 1, size)) for codes, values in own]
        return self

    def build(
        self,
        requests: Requests,
        item_ids: np.ndarray,
        scores: Mapping[str, np.ndarray],
        vectors: Mapping[str, np.ndarray],
        votes: np.ndarray | None = None,
    ) -> np.ndarray:
        """Return the features (B, K, F) of candidates `item_ids` (B, K).

        `scores` holds each source's opinion (B, K); `vectors` holds unit vectors (N, D) in which
        nearness to recent items is measured; `votes` (B, K) counts who found a candidate.
        """
        columns = [np.zeros(item_ids.shape) if votes is None else votes]
        for opinion in scores.values():
            columns += [opinion, _rank(opinion, item_ids)]
        columns += list(np.moveaxis(self.items_[item_ids], 2, 0))
        columns += [self._genre_similarity(requests.seen @ self.genres_, item_ids)]
        for space in vectors.values():
            columns += list(_nearness(space, requests.recent[:, :LAST], item_ids))
        columns += [np.broadcast_to(row[:, None], item_ids.shape) for row in _context(requests)]
        for lift, codes in zip(self.lifts_, requests.contexts.T[1:], strict=False):
            columns += [
                np.broadcast_to(codes[:, None], item_ids.shape),
                lift[codes[:, None], item_ids],
            ]
        return np.stack(columns, axis=2).astype(np.float32)

    def describe(
        self, sources: Sources, requests: Requests, item_ids: np.ndarray, votes: np.ndarray
    ) -> np.ndarray:
        """Return the features (B, K, F) of items (B, K) by the opinions and spaces of `sources`."""
        scores = sources.score_all(requests, item_ids)
        return self.build(requests, item_ids, scores, sources.spaces(), votes)

    def names_of(self, sources: Sources, catalogue: Catalogue) -> list[str]:
        """Name the columns of `describe`."""
        opinions = dict.fromkeys(sources.names)
        contexts = tuple(catalogue.contexts)[1:]
        return self.names(opinions, sources.spaces(), catalogue.segment_names, contexts)

    @staticmethod
    def names(
        scores: Mapping[str, object],
        vectors: Mapping[str, object],
        segments: Sequence[str],
        contexts: Sequence[str] = (),
    ) -> list[str]:
        """Name the columns of `build`; `contexts` are the columns after the device."""
        names = ["votes"]
        names += [f"{source} {what}" for source in scores for what in ("score", "rank")]
        names += [*ITEM_COLUMNS, "genre similarity"]
        names += [f"{space} {what}" for space in vectors for what in ("nearest", "mean nearness")]
        names += ["history", "hour", "weekend", "device", *segments]
        return names + [f"context {name}{what}" for name in contexts for what in ("", " lift")]

    def _genre_similarity(self, profile: np.ndarray, item_ids: np.ndarray) -> np.ndarray:
        """Return the cosine of the user's genres (B, G) and the candidate's: (B, K)."""
        return np.einsum("bg,bkg->bk", unit_rows(profile), self.genres_[item_ids])

    def save(self, folder: Path) -> None:
        """Write the item statistics."""
        lifts: dict[str, Any] = {f"lift{n}": lift for n, lift in enumerate(self.lifts_)}
        np.savez(folder / "features.npz", items=self.items_, genres=self.genres_, **lifts)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        stage = cls()
        with np.load(folder / "features.npz") as arrays:
            stage.items_, stage.genres_ = arrays["items"], arrays["genres"]
            stage.lifts_ = [arrays[f"lift{n}"] for n in range(len(arrays.files) - 2)]
        return stage


def _shrunk_mean(events: Events, size: int, prior: float) -> np.ndarray:
    """Return mean ratings, pulled to the overall one as if by `prior` more; 0 without ratings."""
    rated = ~np.isnan(events.ratings)
    if not rated.any():
        return np.zeros(size)
    items, ratings = events.items[rated], events.ratings[rated]
    count = np.bincount(items, minlength=size)
    total = np.bincount(items, weights=ratings, minlength=size)
    return (total + prior * ratings.mean()) / (count + prior)


def _lift(codes: np.ndarray, items: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return how much likelier each item is under each code of a context: the log, (V, N).

    Shares are pulled to the overall ones as if by `CONTEXT_PRIOR` more events; code 0, unknown, and
    an item without events have 0.
    """
    cells = np.zeros(shape)
    np.add.at(cells, (codes, items), 1.0)
    overall = cells.sum(axis=0) / max(len(items), 1)  # (N,)
    shrunk = (cells + CONTEXT_PRIOR * overall) / (cells.sum(axis=1, keepdims=True) + CONTEXT_PRIOR)
    lift = np.log(np.divide(shrunk, overall, out=np.ones(shape), where=overall > 0))
    lift[0] = 0.0
    return lift.astype(np.float32)


def _rank(opinion: np.ndarray, item_ids: np.ndarray) -> np.ndarray:
    """Return the rank of each candidate by one source's score, 0 the best: (B, K)."""
    order = np.argsort(-np.where(item_ids < 0, -np.inf, opinion), axis=1, kind="stable")
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.broadcast_to(np.arange(order.shape[1]), order.shape), axis=1)
    return ranks


def _nearness(
    space: np.ndarray, recent: np.ndarray, item_ids: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest and mean cosine with the user's recent items (B, H): two (B, K)."""
    cosine = np.einsum("bkd,bhd->bkh", space[item_ids], space[recent], optimize=True)  # (B, K, H)
    known = (recent >= 0)[:, None, :]  # (B, 1, H)
    count = np.maximum(known.sum(2), 1)
    nearest = np.where(known, cosine, -1.0).max(axis=2)
    return nearest, np.where(known, cosine, 0.0).sum(axis=2) / count


def _context(requests: Requests) -> list[np.ndarray]:
    """Return what is the same for all candidates: history, time, device, attributes: (B,) each."""
    history = np.log1p(np.diff(requests.seen.indptr))
    hour = requests.times % DAY // 3600
    weekend = (requests.times // DAY + 3) % 7 >= 5  # 1970 began on a Thursday
    return [history, hour, weekend, requests.contexts[:, 0], *requests.segments.T]
