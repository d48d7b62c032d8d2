"""From the lists of all sources to one list of candidates, and who proposed each.

Every source has a quota of places that its best items are sure of, so that a source that finds what
no other finds (content for a new item) is not voted down by those that agree with each other. What
is left of the places goes by reciprocal rank fusion over all lists, which also orders the whole:

    fused(i) = sum over sources s of w_s / (60 + rank of i in list s)          ranks start at 1

The rank of an item in every list is kept: for the answer ("found by"), for features, and for the
report. The fusion itself is `common.retrieval`'s.

Shapes: `B` requests, `K` candidates.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from common.retrieval import MISSING, Candidates, Fused, reciprocal_rank_fusion

CONSTANT = 60.0


def votes_for(item_ids: np.ndarray, lists: Sequence[Candidates]) -> np.ndarray:
    """Count the sources whose `lists` hold each of any items (B, K), as `Fused.votes` does."""
    votes = np.zeros(item_ids.shape, dtype=np.float32)
    for found in lists:
        for row, (items, candidates) in enumerate(zip(item_ids, found.item_ids, strict=True)):
            votes[row] += np.isin(items, candidates)
    return votes


def found_by(item_ids: np.ndarray, merged: Fused) -> np.ndarray:
    """Return the bits (B, k) of the sources that proposed each of some merged items (B, k)."""
    bits = np.zeros(item_ids.shape, dtype=np.int64)
    order, proposed = np.argsort(merged.candidates.item_ids, axis=1), merged.found_by()
    for row, items in enumerate(item_ids):
        candidates = merged.candidates.item_ids[row, order[row]]
        place = np.searchsorted(candidates, items).clip(max=len(candidates) - 1)
        bits[row] = np.where(items == MISSING, 0, proposed[row, order[row]][place])
    return bits


def merge(
    lists: Sequence[Candidates],
    *,
    k: int,
    quotas: Sequence[int] | None = None,
    weights: Sequence[float] | None = None,
) -> Fused:
    """Merge lists of equal `B`; without `quotas` each list is sure of an equal share of `k`.

    Quotas that exceed `k` together are filled in the order of the fused ranks.
    """
    quotas = [k // len(lists)] * len(lists) if quotas is None else quotas
    return reciprocal_rank_fusion(lists, k=k, constant=CONSTANT, weights=weights, quotas=quotas)
