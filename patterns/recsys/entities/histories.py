"""What is known of every user at the end of the events: the source of a server's requests.

There are no user factors to keep. A request is made of the user's history, and of what the user
interacted with since, so known and new users are served by the same code.

Shapes: `B` requests, `U` users, `N` items, `H` recent items, `S` user attributes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from common.retrieval import MISSING
from patterns.recsys.entities.catalogue import Catalogue
from patterns.recsys.entities.events import Events
from patterns.recsys.entities.requests import RECENT, Requests, latest_by_user

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


@dataclass(frozen=True)
class Histories:
    """The histories of all users of a catalogue."""

    seen: csr_matrix  # (U, N) of `Events.matrix`
    recent: np.ndarray  # (U, H) int64, newest first, -1 padded
    now: int  # second of the latest event

    @classmethod
    def of(cls, events: Events, catalogue: Catalogue) -> Histories:
        """Collect `events` by user."""
        users, items = len(catalogue.user_ids), len(catalogue.item_ids)
        recent = latest_by_user(events, users)
        return cls(events.matrix(users, items), recent, int(events.times.max()))

    def lengths(self) -> np.ndarray:
        """Return the number of different items of each history (U,)."""
        return np.diff(self.seen.indptr)

    def counts(self) -> np.ndarray:
        """Return the number of users of each item (N,)."""
        return np.bincount(self.seen.indices, minlength=self.seen.shape[1])

    def requests_for(
        self,
        catalogue: Catalogue,
        users: np.ndarray,
        extra: Sequence[Sequence[int]],
        *,
        now: int | None = None,
        segments: np.ndarray | None = None,
        contexts: np.ndarray | None = None,
    ) -> Requests:
        """Make requests of `users` (B,), rows or -1, who interacted with the `extra` items since.

        `segments` (B, S) are read of unknown users, `contexts` (B, C) of all; 0 is unknown.
        Where the data has no times, `now` is not read.
        """
        known = np.maximum(users, 0)
        told = np.zeros_like(catalogue.segments[known]) if segments is None else segments
        told = np.where(users[:, None] < 0, told, catalogue.segments[known])
        recent = np.where(users[:, None] < 0, MISSING, self.recent[known])
        seen = self.seen[known].tolil()
        for row, items in enumerate(extra):
            if users[row] < 0:
                seen.rows[row], seen.data[row] = [], []
            if items:
                recent[row] = np.concatenate([items[::-1], recent[row]])[:RECENT]
                seen[row, items] = np.maximum(seen[row, items].toarray(), 1.0)
        times = np.full(len(users), self.now, dtype=np.int64)
        if now is not None and catalogue.timed:
            times[:] = now
        if contexts is None:
            contexts = np.zeros((len(users), len(catalogue.contexts)), dtype=np.int64)
        known_items = seen.tocsr()
        barred = catalogue.barred(known_items)
        return Requests(told, times, recent, known_items, contexts, users, barred)

    def save(self, folder: Path) -> None:
        """Write the histories as one npz without objects."""
        np.savez(
            folder / "histories.npz",
            items=self.seen.indices, ends=self.seen.indptr, worth=self.seen.data,
            shape=np.array(self.seen.shape),
            recent=self.recent, now=np.array(self.now),
        )  # fmt: skip

    @classmethod
    def load(cls, folder: Path) -> Histories:
        """Read what `save` wrote."""
        from scipy.sparse import csr_matrix

        with np.load(folder / "histories.npz") as arrays:
            parts = arrays["worth"], arrays["items"], arrays["ends"]
            seen = csr_matrix(parts, shape=tuple(arrays["shape"]))
            return cls(seen, arrays["recent"], int(arrays["now"]))
