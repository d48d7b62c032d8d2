"""All faults of a user's files in one message, so that one run is enough to see and mend them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

SHOWN = 10


class Faults:
    """Faults found so far; `stop` raises if there are any."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def add(self, fault: str) -> None:
        """Keep one fault: file, row or object, value and remedy."""
        self.found.append(fault)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep a ValueError instead of raising it."""
        try:
            yield
        except ValueError as fault:
            self.add(str(fault))

    def stop(self) -> None:
        """Raise one ValueError with the first `SHOWN` faults, if there are any."""
        if not self.found:
            return
        if len(self.found) == 1:
            raise ValueError(self.found[0])
        more = [f"… and {len(self.found) - SHOWN:,} more"] if len(self.found) > SHOWN else []
        lines = [*self.found[:SHOWN], *more]
        raise ValueError("\n  ".join([f"{len(self.found):,} faults in the files:", *lines]))


class Repairs:
    """What was done to the data, counted by kind, with the first place of each."""

    def __init__(self) -> None:
        self.count: dict[str, int] = {}
        self.first: dict[str, str] = {}

    def add(self, what: str, where: str, count: int = 1) -> None:
        """Count `count` more of a kind: "boxes were clipped to their image"."""
        if count:
            self.count[what] = self.count.get(what, 0) + count
            self.first.setdefault(what, where)

    def sentences(self) -> list[str]:
        """Return a sentence for each kind."""
        return [f"{n:,} {what} (first: {self.first[what]})." for what, n in self.count.items()]
