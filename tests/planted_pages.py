"""Lists to rank again: random ones with genres and histories, and a count of broken caps."""

import numpy as np
from scipy.sparse import csr_matrix

from common.retrieval import Candidates
from patterns.recsys.stages.reranking.rules import Rules

ITEMS, GENRES = 80, 6


def world(requests: int = 40, width: int = 60, seed: int = 0) -> tuple:
    """Random lists, genres and histories; the first list is short, the first history empty."""
    rng = np.random.default_rng(seed)
    genres = (rng.random((ITEMS, GENRES)) < 0.3).astype(np.float32)
    item_ids = np.stack([rng.permutation(ITEMS)[:width] for _ in range(requests)])
    scores = -np.sort(-rng.normal(size=(requests, width)), axis=1).astype(np.float32)
    item_ids[0, 4:], scores[0, 4:] = -1, -np.inf
    taken = (rng.random((requests, ITEMS)) < 0.1).astype(np.float32)
    taken[0] = 0
    return Candidates(item_ids, scores), genres, csr_matrix(taken)


def unit(scores: np.ndarray) -> np.ndarray:
    """Weigh logits as probabilities, scaled to [0, 1]."""
    shares = 1 / (1 + np.exp(-scores))
    return (shares - shares.min()) / (shares.max() - shares.min())


def violations(rules: Rules | None, page: np.ndarray) -> np.ndarray:
    """Count the items of each page (B, L) that stand above a cap: (B,)."""
    assert rules is not None
    above = np.zeros(len(page), dtype=np.int64)
    for cap in rules.caps:
        groups = np.where(page < 0, -1, cap.groups[page])
        for place in range(page.shape[1]):
            earlier = (groups[:, :place] == groups[:, place : place + 1]).sum(axis=1)
            above += (groups[:, place] >= 0) & (earlier >= cap.most)
    return above


def ordered_list(count: int = 12) -> Candidates:
    """Return one list of items 0, 1, …, best first."""
    return Candidates(np.arange(count)[None], np.arange(count, 0, -1, dtype=np.float32)[None])
