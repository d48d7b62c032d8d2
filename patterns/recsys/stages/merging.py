"""From the lists of all sources to one list of candidates, and who proposed each.

Every source has a share of the places. Its best items are sure of as many places, so that a source
that finds what no other finds (content for a new item) is not voted down by those that agree with
each other. What is left of the places goes by reciprocal rank fusion over all lists, which also
orders the whole and counts a source by its share:

    fused(i) = sum over sources s of share_s / (60 + rank of i in list s)      ranks start at 1

A source with a share of 0 only fills up what the others leave empty. Equal shares are the start;
`choose_shares` moves one share at a time while the merged lists of the validation requests gain in
NDCG, which counts what is found and where it stands.

The rank of an item in every list is kept: for the answer ("found by"), for features, and for the
report. The fusion itself is `common.retrieval`'s.

Shapes: `B` requests, `K` candidates, `S` sources, `M` items of all lists.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from common.evaluation.ranking import judge
from common.retrieval import MISSING, Candidates, Fused, reciprocal_rank_fusion

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

CONSTANT = 60.0
SHARES = (0.0, 0.5, 1.0, 2.0, 4.0)
PASSES = 3
NEXT_TO_NOTHING = 1e-6  # orders what fills up


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


def merge(lists: Sequence[Candidates], *, k: int, shares: Sequence[float] | None = None) -> Fused:
    """Merge lists of equal `B` by the sources' `shares`, equal ones by default."""
    shares = [1.0] * len(lists) if shares is None else shares
    quotas, weights = quotas_of(shares, k)
    return reciprocal_rank_fusion(lists, k=k, constant=CONSTANT, weights=weights, quotas=quotas)


def quotas_of(shares: Sequence[float], k: int) -> tuple[list[int], list[float]]:
    """Return the places of `k` that each source is sure of, and its weight in the fusion."""
    total = sum(shares)
    if not total:  # of sources none of which counts, all count alike
        return quotas_of([1.0] * len(shares), k)
    return [int(k * share / total) for share in shares], [s or NEXT_TO_NOTHING for s in shares]


def choose_shares(lists: Sequence[Candidates], answers: csr_matrix, *, k: int) -> list[float]:
    """Return the shares (S,) under which the merged lists have the largest NDCG@k.

    One share after the other is moved to the best of `SHARES`, `PASSES` times at most.
    """
    pool = _Pool(lists, answers, k)
    shares = [1.0] * len(lists)
    best = pool.quality(shares)
    for _ in range(PASSES):
        before = best
        for place in range(len(shares)):
            for share in SHARES:
                tried = [*shares[:place], share, *shares[place + 1 :]]
                quality = pool.quality(tried) if any(tried) else -1.0
                if quality > best:
                    best, shares = quality, tried
        if best == before:
            break
    return shares


class _Pool:
    """All items of some lists, their ranks in each and which are right: merged many times."""

    def __init__(self, lists: Sequence[Candidates], answers: csr_matrix, k: int) -> None:
        widest = sum(found.item_ids.shape[1] for found in lists)
        fused = reciprocal_rank_fusion(lists, k=widest, constant=CONSTANT)
        longest = int((fused.candidates.item_ids != MISSING).sum(axis=1).max(initial=1))
        item_ids, self.ranks = fused.candidates.item_ids[:, :longest], fused.ranks[..., :longest]
        judged = judge(item_ids, answers)
        self.relevant = judged.relevance > 0  # (B, M)
        self.keep, self.k = k, min(k, longest)
        self.worth = np.where(self.ranks > 0, 1.0 / (CONSTANT + self.ranks), 0.0)  # (S, B, M)
        self.worth = self.worth.astype(np.float32)
        self.wanted = judged.total_relevant.astype(int)
        self.gains = 1.0 / np.log2(np.arange(max(k, int(self.wanted.max(initial=1)))) + 2.0)
        self.ideal = np.concatenate([[0.0], np.cumsum(self.gains)])[np.minimum(self.wanted, k)]

    def quality(self, shares: Sequence[float]) -> float:
        """Return the mean NDCG@k of the lists merged by `shares` (S,)."""
        quotas, weights = quotas_of(shares, self.keep)
        scores = np.tensordot(np.array(weights, np.float32), self.worth, axes=1)  # (B, M)
        sure = np.zeros(scores.shape, dtype=bool)
        for quota, ranks in zip(quotas, self.ranks, strict=True):
            sure |= (ranks > 0) & (ranks <= quota)
        last = self.k - 1
        chosen = np.argpartition(-(scores + 1e3 * sure), last, axis=1)[:, : self.k]
        kept = np.take_along_axis(scores, chosen, axis=1)
        order = np.take_along_axis(chosen, np.argsort(-kept, axis=1, kind="stable"), axis=1)
        right = np.take_along_axis(self.relevant, order, axis=1)
        gained = right @ self.gains[: self.k]
        return float((gained / np.maximum(self.ideal, 1e-9)).mean())
