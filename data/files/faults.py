"""What is wrong in a user's file, collected, so that all of it is told at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MOST = 10  # faults that one message lists


def flag(argument: str) -> str:
    """Return the flag by which every pattern passes this argument of a reader on.

    An argument of several columns is `context:hour` for one of them.
    """
    return "--data." + argument.partition(":")[0].replace("_", "-")


class Faults:
    """The faults of one file, told by `check` in one error."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.found: list[tuple[int | None, str]] = []

    def add(self, row: int | None, text: str) -> None:
        """Keep a fault; `row` is counted as in the file, None for one of the whole file."""
        self.found.append((row, text))

    def check(self) -> None:
        """Raise if there is any, with its row, value and remedy, in the order of the rows."""
        if self.found:
            raise ValueError(self.told())

    def told(self) -> str:
        """Return all faults as one text: a line, or a list of at most `MOST`."""
        ordered = sorted(self.found, key=lambda fault: fault[0] or 0)
        if len(ordered) == 1:
            row, text = ordered[0]
            return f"{self.path}{'' if row is None else f', row {row}'}: {text}"
        rows: dict[str, list[int | None]] = {}
        for row, text in ordered:
            rows.setdefault(text, []).append(row)
        lines = [_of_rows(text, found) for text, found in rows.items()]
        if len(lines) > MOST:
            lines[MOST:] = [f"and {len(lines) - MOST:,} more"]
        if len(lines) == 1:
            return f"{self.path}, {lines[0]}"
        return "\n  ".join([f"{self.path}: {len(ordered)} faults", *lines])


def _of_rows(text: str, rows: list[int | None]) -> str:
    """Put the rows before a fault that they share."""
    known = [row for row in rows if row is not None]
    if not known:
        return text
    if len(known) == 1:
        return f"row {known[0]}: {text}"
    more = f" and {len(known) - MOST:,} more" if len(known) > MOST else ""
    return f"rows {', '.join(map(str, known[:MOST]))}{more}: {text}"


class FaultsOfFiles:
    """The faults of several long files that belong together, told by `check` in one error."""

    def __init__(self) -> None:
        self.files: dict[Path, Faults] = {}

    def add(self, path: Path, row: int | None, text: str) -> None:
        """Keep a fault of a file, as `Faults.add` does."""
        self.files.setdefault(path, Faults(path)).add(row, text)

    def check(self) -> None:
        """Raise if there is any, file by file."""
        if self.files:
            raise ValueError("\n".join(faults.told() for faults in self.files.values()))


class FaultsOfFolder:
    """The faults of many small files, each told in one line, by `check` in one error."""

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

    def check(self) -> None:
        """Raise if there is any, with at most `MOST` of them in words."""
        if len(self.found) == 1:
            raise ValueError(self.found[0])
        if self.found:
            lines = [f"{len(self.found):,} faults in the files:", *self.found[:MOST]]
            if len(self.found) > MOST:
                lines.append(f"… and {len(self.found) - MOST:,} more")
            raise ValueError("\n  ".join(lines))
