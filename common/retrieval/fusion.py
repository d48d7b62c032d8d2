"""From the lists of several sources to one list, and the rank of each item in every source.

Reciprocal rank fusion adds up what an item's ranks are worth:

    score(i) = sum over lists l of w_l / (constant + rank of i in list l)        ranks start at 1

Ranks need no calibration: an inner product and a decayed count never meet. With `quotas` each list
is sure of places for its best items, so that a source that finds what no other finds is not voted
down by those that agree with each other.

Scores instead of ranks, scaled within each list, keep how far apart two items are.

Source: Cormack, Clarke & Büttcher, SIGIR 2009; the quotas are ours.

Shapes: `B` requests, `L` lists, `M` places of all lists, `K` candidates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from common.retrieval.candidates import MISSING, Candidates


@dataclass(frozen=True)
class Fused:
    """Merged candidates, best first, and the rank of each in every list: its provenance."""

    candidates: Candidates
    ranks: np.ndarray  # (L, B, K) int64 from 1; 0 where the list lacks the item

    def found_by(self) -> np.ndarray:
        """Return a bit for each list that holds the item, bit l for list l: (B, K) int64."""
        return np.tensordot(1 << np.arange(len(self.ranks)), self.ranks > 0, axes=1)

    def votes(self) -> np.ndarray:
        """Count the lists that hold each item: (B, K) float32."""
        return np.count_nonzero(self.ranks, axis=0).astype(np.float32)

    def ranks_of(self, request: int) -> dict[int, tuple[int, ...]]:
        """Return item -> its rank in each list, for one request."""
        items = self.candidates.item_ids[request].tolist()
        return dict(zip(items, map(tuple, self.ranks[:, request].T.tolist()), strict=True))


def reciprocal_rank_fusion(
    lists: Sequence[Candidates],
    *,
    k: int,
    constant: float = 60.0,
    weights: Sequence[float] | None = None,
    quotas: Sequence[int] | None = None,
) -> Fused:
    """Merge lists of equal `B` by rank alone; no list may hold an item twice.

    An item absent from a list gains nothing there; ties go to the lower id. The first `quotas[l]`
    of list l are sure of a place among the `k`; quotas that exceed `k` together are filled in the
    order of the scores.
    """
    worth = _by_place(lists, weights, default=1.0) / (constant + _places_of(lists))  # (M,)
    return _merged(lists, worth, k=k, quotas=quotas)


def scaled_score_fusion(
    lists: Sequence[Candidates], *, k: int, weights: Sequence[float] | None = None
) -> Fused:
    """Merge lists of equal `B` by their scores, each scaled to 0 … 1 within its list.

    An item absent from a list gains nothing there, as does the last of it; ties go to the lower id.
    Source: Bruch, Gai & Ingber, TOIS 2023.
    """
    scaled = np.concatenate([_scaled(each) for each in lists], axis=1)  # (B, M)
    return _merged(lists, scaled * _by_place(lists, weights, default=1.0), k=k)


def _places_of(lists: Sequence[Candidates]) -> np.ndarray:
    """Return the rank that each place of the joined lists has in its own, (M,) from 1."""
    return np.concatenate([np.arange(1, each.item_ids.shape[1] + 1) for each in lists])


def _by_place(
    lists: Sequence[Candidates], values: Sequence[float] | None, *, default: float
) -> np.ndarray:
    """Repeat one value a list for each of its places, (M,)."""
    each = np.asarray([default] * len(lists) if values is None else values)
    return np.repeat(each, [found.item_ids.shape[1] for found in lists])


def _scaled(found: Candidates) -> np.ndarray:
    """Return the scores (B, K) between the lowest and the highest of each list; padding is 0."""
    kept = found.item_ids != MISSING
    low = np.where(kept, found.scores, np.inf).min(axis=1, keepdims=True, initial=np.inf)
    high = np.where(kept, found.scores, -np.inf).max(axis=1, keepdims=True, initial=-np.inf)
    spread = np.where(high > low, high - low, 1.0)
    scaled = (np.where(kept, found.scores, 0.0) - np.where(np.isfinite(low), low, 0.0)) / spread
    return np.where(kept, np.where(high > low, scaled, 1.0), 0.0)


def _merged(
    lists: Sequence[Candidates],
    worth: np.ndarray,
    *,
    k: int,
    quotas: Sequence[int] | None = None,
) -> Fused:
    """Add up what each place is worth, (M,) or (B, M), and keep the best `k` of each request."""
    assert len(lists) > 0
    item_ids = np.concatenate([each.item_ids for each in lists], axis=1)  # (B, M)
    source = _by_place(lists, range(len(lists)), default=0)  # (M,) the list of each place
    rank = _places_of(lists)
    reserved = _by_place(lists, quotas, default=0)  # (M,)

    places = _Places(item_ids)
    scores = np.where(places.first, places.added(worth), -np.inf)
    scores = scores.astype(np.float32)
    sure = places.first & (places.added(rank <= reserved) > 0)
    order = np.lexsort((-scores, ~sure), axis=1)[:, :k]
    kept = np.take_along_axis(scores, order, axis=1)
    order = np.take_along_axis(order, np.argsort(-kept, axis=1, kind="stable"), axis=1)
    ranks = [
        np.take_along_axis(places.added(np.where(source == each, rank, 0)), order, axis=1)
        for each in range(len(lists))
    ]
    merged = Candidates(
        np.take_along_axis(places.item_ids, order, axis=1),
        np.take_along_axis(scores, order, axis=1),
    )
    return Fused(merged, np.where(merged.item_ids == MISSING, 0, np.stack(ranks)).astype(np.int64))


class _Places:
    """The places of `item_ids` (B, M) sorted by id; the first of equal ids stands for them all."""

    def __init__(self, item_ids: np.ndarray) -> None:
        self.order = np.argsort(item_ids, axis=1, kind="stable")
        ascending = np.take_along_axis(item_ids, self.order, axis=1)
        opens = np.ones_like(ascending, dtype=bool)
        opens[:, 1:] = ascending[:, 1:] != ascending[:, :-1]
        self.group = np.cumsum(opens.ravel()) - 1
        self.first = opens & (ascending != MISSING)  # (B, M)
        self.item_ids = np.where(self.first, ascending, MISSING)

    def added(self, values: np.ndarray) -> np.ndarray:
        """Add up values (M,) or (B, M) of equal ids: (B, M)."""
        values = np.broadcast_to(values, self.order.shape)
        ascending = np.take_along_axis(values, self.order, axis=1).astype(np.float64)
        total = np.bincount(self.group, weights=ascending.ravel())[self.group]
        return total.reshape(self.order.shape)
