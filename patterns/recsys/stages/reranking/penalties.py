"""The penalties of an item while a page is filled: similarity and miscalibration.

    similarity(i)      = max_{j on the page} cos(i, j), or the mean over j
    miscalibration(i)  = n KL(p || q)     q = genres of the page with i on it, its n-th item

p(g) is the share of genre g in the user's history, q(g) its share on the page; an item of several
genres counts for each in equal parts. KL is finite because q is mixed with a little of p,

    KL(p || q~) = sum_g p(g) log(p(g) / q~(g))      q~ = (1 - alpha) q + alpha p,

so KL lies between 0 and log(1 / alpha). A user without history has p = 0 and a penalty of 0. The
factor n weighs KL against the mean relevance of the page, where the paper takes the sum: against a
sum KL decides the first places nearly alone and the last ones hardly at all. Both penalties step
for all requests of a batch at once.

The largest cosine keeps twins apart; the mean is what an item adds to the intra-list similarity of
the page, and so takes more of it out at the same price.

Sources: Carbonell & Goldstein, The Use of MMR, SIGIR 1998 (the largest); Smyth & McClave,
Similarity vs. Diversity, ICCBR 2001 (the mean, "bounded greedy"); Steck, Calibrated
Recommendations, RecSys 2018, section 3.

Shapes: `B` requests, `K` candidates, `P` the first of them that are weighed, `G` genres.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

SMOOTHING = 0.01  # alpha
TINY = 1e-30


class Penalty(Protocol):
    """The cost of each item as the next of the page."""

    def costs(self) -> np.ndarray:
        """Return the cost (B, P) of putting each item on the page now."""

    def pick(self, places: np.ndarray) -> None:
        """Put the item at each of `places` (B,), below K, on the page."""


class Similarity:
    """Cosine to what the page holds, the largest (MMR) or the mean; 0 on an empty page."""

    def __init__(self, vectors: np.ndarray, *, pool: int, mean: bool = False) -> None:
        """Take unit vectors (B, K, G) that are nowhere negative."""
        self.vectors = vectors
        self.mean = mean
        self.held = 0
        self.cosine = np.zeros((len(vectors), pool), dtype=vectors.dtype)  # largest, or summed

    def costs(self) -> np.ndarray:
        """Return the largest or mean cosine (B, P)."""
        return self.cosine / max(self.held, 1) if self.mean else self.cosine

    def pick(self, places: np.ndarray) -> None:
        """Compare all with the item just picked."""
        picked = self.vectors[np.arange(len(places)), places]  # (B, G)
        pool = self.cosine.shape[1]
        cosine = np.matmul(self.vectors[:, :pool], picked[:, :, None])[:, :, 0]
        join = np.add if self.mean else np.maximum
        join(self.cosine, cosine, out=self.cosine)
        self.held += 1


class Miscalibration:
    """KL between the genres of the history and of the page."""

    def __init__(self, shares: np.ndarray, wanted: np.ndarray, *, pool: int) -> None:
        """Take the items' genre shares (B, K, G) and the history's (B, G)."""
        self.shares = shares
        self.wanted = wanted
        self.total = np.zeros_like(wanted)  # genres of the page, summed
        self.size = 0  # items on the page
        self.pool = pool

    def costs(self) -> np.ndarray:
        """Return n times the KL (B, P) of the page with each item added as the n-th."""
        given = self.total[:, None] + self.shares[:, : self.pool]
        return (self.size + 1) * divergence(self.wanted[:, None], given)

    def pick(self, places: np.ndarray) -> None:
        """Add the genres of the items just picked."""
        self.total = self.total + self.shares[np.arange(len(places)), places]
        self.size += 1


def divergence(wanted: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Return KL(wanted || given), smoothed, over the last axis; `given` need not sum to 1."""
    entropy = (wanted * np.log(np.maximum(wanted, TINY))).sum(axis=-1)
    kind = np.result_type(wanted, given)
    mixed = np.divide(given, np.maximum(given.sum(axis=-1, keepdims=True), TINY), dtype=kind)
    mixed *= 1 - SMOOTHING  # in place from here on: most of the time of a calibrated page goes here
    mixed += SMOOTHING * wanted
    np.log(np.maximum(mixed, TINY, out=mixed), out=mixed)
    mixed *= wanted
    return entropy - mixed.sum(axis=-1)


def genre_shares(genres: np.ndarray) -> np.ndarray:
    """Return each item's genres (N, G) as equal shares that sum to 1; without genres all are 0."""
    return (genres / np.maximum(genres.sum(axis=1, keepdims=True), 1.0)).astype(np.float32)


def history_shares(seen: csr_matrix, shares: np.ndarray) -> np.ndarray:
    """Return the genre shares (B, G) of histories `seen` (B, N); an empty history is all 0."""
    wanted = np.asarray(seen @ shares)
    return wanted / np.maximum(wanted.sum(axis=1, keepdims=True), TINY)


def miscalibration(wanted: np.ndarray, shares: np.ndarray, page: np.ndarray) -> np.ndarray:
    """Return the KL (B,) between histories `wanted` (B, G) and pages of item ids (B, K), -1 padded.

    `shares` (N, G) are the items' genre shares. An empty page has the largest KL.
    """
    given = (shares[page] * (page >= 0)[:, :, None]).sum(axis=1)  # (B, G)
    return divergence(wanted, given)
