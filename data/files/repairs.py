"""What was done to a user's boxes to make them fit, so that it can be said."""

from __future__ import annotations


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
