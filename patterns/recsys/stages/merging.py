"""From the lists of all sources to one list of candidates, and who proposed each.

Every source has a quota of places that its best items are sure of, so that a source that finds what
no other finds (content for a new item) is not voted down by those that agree with each other. What
is left of the places goes by reciprocal rank fusion over all lists, which also orders the whole:

    fused(i) = sum over sources s of w_s / (60 + rank of i in list s)          ranks start at 1

Ranks need no calibration: an inner product of ALS and a decayed count never meet. Which sources
proposed an item is kept as bits, for the answer ("found by"), for features, and for the report.

Source: Cormack et al., Reciprocal Rank Fusion, SIGIR 2009; the quotas are ours.

Shapes: `B` requests, `L` sources, `M` places of all lists, `K` candidates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from common.retrieval import NOTHING, Candidates, sum_by_item

CONSTANT = 60.0


@dataclass(frozen=True)
class Merged:
    """Candidates, best first by fused rank, and for each a bit per source that proposed it."""

    candidates: Candidates
    found_by: np.ndarray  # (B, K) int64, bit l is source l; 0 for padding

    def votes(self) -> np.ndarray:
        """Count the sources that proposed each candidate: (B, K)."""
        return np.bitwise_count(self.found_by).astype(np.float32)


def votes_for(item_ids: np.ndarray, lists: Sequence[Candidates]) -> np.ndarray:
    """Count the sources whose `lists` hold each of any items (B, K), as `Merged.votes` does."""
    votes = np.zeros(item_ids.shape, dtype=np.float32)
    for found in lists:
        for row, (items, candidates) in enumerate(zip(item_ids, found.item_ids, strict=True)):
            votes[row] += np.isin(items, candidates)
    return votes


def merge(
    lists: Sequence[Candidates],
    *,
    k: int,
    quotas: Sequence[int] | None = None,
    weights: Sequence[float] | None = None,
) -> Merged:
    """Merge lists of equal `B`; without `quotas` each list is sure of an equal share of `k`.

    Quotas that exceed `k` together are filled in the order of the fused ranks.
    """
    quotas = [k // len(lists)] * len(lists) if quotas is None else quotas
    weights = [1.0] * len(lists) if weights is None else weights
    item_ids = np.concatenate([each.item_ids for each in lists], axis=1)  # (B, M)
    ranks = [np.arange(each.item_ids.shape[1]) for each in lists]
    fused = [weight / (CONSTANT + 1 + rank) for weight, rank in zip(weights, ranks, strict=True)]
    sure = [rank < quota for quota, rank in zip(quotas, ranks, strict=True)]
    bits = [np.full(len(rank), float(1 << place)) for place, rank in enumerate(ranks)]

    def added(values: Sequence[np.ndarray]) -> Candidates:
        return sum_by_item(item_ids, np.broadcast_to(np.concatenate(values), item_ids.shape))

    scores = added(fused)  # items ascend, so the sums below stand at the same places
    chosen = np.where(scores.item_ids == NOTHING, -1.0, added(sure).scores > 0)
    order = np.lexsort((-scores.scores, -chosen), axis=1)[:, :k]
    kept = np.take_along_axis(scores.scores, order, axis=1)
    order = np.take_along_axis(order, np.argsort(-kept, axis=1, kind="stable"), axis=1)
    found_by = np.take_along_axis(added(bits).scores, order, axis=1)
    items = np.take_along_axis(scores.item_ids, order, axis=1)
    return Merged(
        Candidates(items, np.take_along_axis(scores.scores, order, axis=1)),
        np.where(items == NOTHING, 0, found_by).astype(np.int64),
    )
