"""All faults of a user's files at once, so that nobody has to start ten times to find ten."""

from __future__ import annotations

from pathlib import Path

SHOWN = 10


class Faults:
    """Collects faults, each a sentence with file, row and remedy; `check` raises if there are any.

    The first `SHOWN` are told, the others counted.
    """

    def __init__(self) -> None:
        self.count = 0
        self.told: list[tuple[Path, str]] = []

    def add(self, path: Path, row: int | None, fault: str) -> None:
        """Note a fault of a file, and of a row of it if given."""
        self.count += 1
        if len(self.told) < SHOWN:
            self.told.append((path, f"row {row}: {fault}" if row is not None else fault))

    def check(self) -> None:
        """Raise `ValueError` with all faults noted so far."""
        if not self.count:
            return
        path, fault = self.told[0]
        text = f"{path}, {fault}" if fault.startswith("row ") else f"{path}: {fault}"
        for before, (path, fault) in zip(self.told, self.told[1:], strict=False):
            text += f" {fault[0].upper()}{fault[1:]}" if path == before[0] else f" {path}: {fault}"
        if self.count > len(self.told):
            text += f" And {self.count - len(self.told):,} more."
        raise ValueError(text)
