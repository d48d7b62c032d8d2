"""The one interface of all candidate sources: what a source can do, and what it tells of itself.

    fit(events, catalogue)        learn, all from the same two arguments
    retrieve(requests, k)         its own best items of those not barred
    score(requests, item_ids)     its opinion of any items, whoever found them
    save(folder), load(folder)    no pickles

A source says what it is called, what it `reads` and `lacks`, in which words it explains an item
(`because`), and in which space of unit vectors it sees items, if it has one. So a pipeline, its
features, its reasons and its report take any list of sources, and to leave one out is to take it
off the list.

Shapes: `B` requests, `N` items, `K` candidates, `D` dimensions.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np

from common.retrieval import MISSING, Candidates, top_k
from patterns.recsys.entities.catalogue import Catalogue
from patterns.recsys.entities.events import Events
from patterns.recsys.entities.requests import Requests

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Reads = Literal["events", "attributes", "texts"]
Evidence = Literal["history", "content", "people"]
EVIDENCE: tuple[Evidence, ...] = ("history", "content", "people")  # the most personal first


class Source(ABC):
    """A way to find candidates."""

    name: ClassVar[str]
    reads: ClassVar[frozenset[Reads]] = frozenset({"events"})
    """What fitting reads: events, attributes of users or items, texts of items."""
    explains: ClassVar[Evidence | None] = None
    """What its reasons rest on; None where it gives none."""
    notice_: str | None = None
    """What a user must know of how it was fitted."""

    @abstractmethod
    def fit(
        self,
        events: Events,
        catalogue: Catalogue,
        *,
        checkpoint: Path | None = None,
        resume: bool = False,
    ) -> Self:
        """Learn; a source that trains in epochs keeps them in the folder `checkpoint`."""

    @abstractmethod
    def retrieve(self, requests: Requests, k: int) -> Candidates:
        """Return the best `k` items that are not barred; short lists end in padding."""

    @abstractmethod
    def score(self, requests: Requests, item_ids: np.ndarray) -> np.ndarray:
        """Score any items (B, K); padding scores 0."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write what `load` needs."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""

    def lacks(self, catalogue: Catalogue) -> str | None:
        """Name what the source reads and `catalogue` does not have; None where it can be fitted."""
        return None

    @property
    def space(self) -> np.ndarray | None:
        """Unit vectors of items (N, D) in which nearness is measured; None without a space."""
        return None

    def because(
        self, request: Requests, item: int, titles: np.ndarray, *, proposed: bool
    ) -> str | None:
        """Say in words what speaks for `item` to the one user of `request`; None for nothing.

        `titles` (N,) name items; `proposed` tells whether the source had the item in its list.
        """
        return None

    def similar(self, item: int, k: int) -> Candidates:
        """Return the `k` items most similar to `item`, by cosine: (1, k); nothing without a space.

        Another measure than the cosine is the subclass's.
        """
        if self.space is None:
            return Candidates(np.full((1, k), MISSING), np.full((1, k), -np.inf, np.float32))
        cosine = self.space @ self.space[item]
        cosine[item] = -np.inf
        return top_k(cosine[None], k)

    def unfitted(self, **changed: Any) -> Self:
        """Return a source of the same hyperparameters but for those `changed`, before any fit."""
        names = inspect.signature(type(self)).parameters
        return type(self)(**({name: getattr(self, name) for name in names} | changed))


class MatrixSource(Source):
    """A source that reads nothing but who interacted with what."""

    def fit(
        self,
        events: Events,
        catalogue: Catalogue,
        *,
        checkpoint: Path | None = None,
        resume: bool = False,
    ) -> Self:
        """Learn from `events` as a matrix of what each user had."""
        return self.fit_matrix(events.matrix(len(catalogue.user_ids), len(catalogue.item_ids)))

    @abstractmethod
    def fit_matrix(self, seen: csr_matrix) -> Self:
        """Learn from the user-item matrix `seen` (U, N), see `Events.matrix`."""
