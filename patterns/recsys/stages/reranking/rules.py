"""What the business asks of a page, whatever the ranker thinks: caps.

A cap limits the items of one group (a franchise, a director, a genre) on a page. Caps are kept
while the page is filled, so the page stays full as long as any candidate keeps them. When none
does, the page is filled with the next best all the same.

Shapes: `B` requests, `N` items, `K` candidates, `L` page.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Cap:
    """At most `most` items of each group on one page."""

    groups: np.ndarray  # (N,) int64 code of the group, -1 none
    most: int

    def __post_init__(self) -> None:
        """Check the number."""
        if self.most < 1:
            raise ValueError(f"most: {self.most} would empty the page; give 1 or more")


@dataclass(frozen=True)
class Rules:
    """Caps; by default there are none."""

    caps: tuple[Cap, ...] = ()

    def allowed(self, item_ids: np.ndarray, page: np.ndarray) -> np.ndarray:
        """Tell which items (B, K) may be added to the page so far (B, L) under all caps."""
        allowed = np.ones(item_ids.shape, dtype=bool)
        for cap in self.caps:
            groups, held = _groups(cap, item_ids), _groups(cap, page)
            count = np.zeros(item_ids.shape, dtype=np.int64)
            for place in range(held.shape[1]):  # short: no (B, K, L) array
                count += groups == held[:, place : place + 1]
            allowed &= (count < cap.most) | (groups < 0)
        return allowed


def genre_cap(genres: np.ndarray, most: int) -> Rules | None:
    """Return the rule that at most `most` items of one genre stand on a page; None for 0.

    `genres` (N, G) are 0 or 1; of several an item counts for its rarest.
    """
    return Rules(caps=(Cap(rarest_group(genres), most),)) if most else None


def _groups(cap: Cap, item_ids: np.ndarray) -> np.ndarray:
    return np.where(item_ids < 0, -1, cap.groups[item_ids])


def rarest_group(memberships: np.ndarray) -> np.ndarray:
    """Return each item of `memberships` (N, G), 0 or 1, its rarest group: (N,) codes, -1 none.

    One code an item is what a cap needs; of several genres the rarest tells most.
    """
    size = memberships.sum(axis=0)  # (G,)
    code = np.where(memberships > 0, size, np.inf).argmin(axis=1)
    return np.where((memberships > 0).any(axis=1), code, -1)
