"""What fetching says to the person waiting, on the error stream.

On a terminal a long transfer draws a bar; elsewhere (a log, a pipe) it says one plain line when it
starts and one when it ends.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_said: set[str] = set()


def say(text: str) -> None:
    """Say one line on the error stream."""
    sys.stderr.write(text.rstrip() + "\n")
    sys.stderr.flush()


def say_once(text: str) -> None:
    """Say one line, once in the life of the process."""
    if text not in _said:
        _said.add(text)
        say(text)


def megabytes(count: int | None) -> str:
    """Write a size for people."""
    if count is None:
        return "unknown size"
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"


@contextmanager
def transfer(label: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show a transfer; the caller is given a function to call with the bytes it has so far."""
    if sys.stderr.isatty():
        yield from _bar(label, total)
        return
    say(f"fetching {label} ({megabytes(total)})")
    start = time.monotonic()
    seen = [0]
    yield lambda done: seen.__setitem__(0, done)
    say(f"fetched {label}: {megabytes(seen[0])} in {time.monotonic() - start:.1f} s")


def _bar(label: str, total: int | None) -> Iterator[Callable[[int], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(bar_width=20), DownloadColumn())
    with Progress(*columns, TransferSpeedColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task(label.rpartition(" · ")[2], total=total)
        yield lambda done: bar.update(task, completed=done)
