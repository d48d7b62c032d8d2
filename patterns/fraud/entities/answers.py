"""Answers kept for retries: who sends the same payment again gets the first answer.

A payment is known by its id. The same request under the same id is a retry; another request under
it is a mistake of the caller. The oldest answers are dropped first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Generic, TypeVar

Request = TypeVar("Request")
Answer = TypeVar("Answer")


class Answers(Generic[Request, Answer]):
    """The latest answers by the id of their payment."""

    def __init__(self, most: int = 10_000) -> None:
        self.most = most
        self._kept: OrderedDict[int, tuple[Request, Answer]] = OrderedDict()

    def get(self, identifier: int) -> Answer | None:
        """Return the answer that this id got."""
        kept = self._kept.get(identifier)
        return None if kept is None else kept[1]

    def conflict(self, batch: Iterable[tuple[int | None, Request]]) -> int | None:
        """Return the first row of a batch whose id another request had, here or in the batch.

        A request without an id has None in its place.
        """
        seen: dict[int, Request] = {}
        for row, (identifier, request) in enumerate(batch):
            if identifier is None:
                continue
            first = seen.setdefault(identifier, request)
            if identifier in self._kept:
                first = self._kept[identifier][0]
            if first != request:
                return row
        return None

    def keep(self, identifier: int, request: Request, answer: Answer) -> None:
        """Keep an answer, dropping the oldest beyond `most`."""
        self._kept[identifier] = (request, answer)
        while len(self._kept) > self.most:
            self._kept.popitem(last=False)
