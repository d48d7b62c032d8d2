"""What a run costs: the seconds since its command began, and the most memory it held.

`begin` is called once by whoever starts a command (`common.config.run`); a run that was called from
other code has no beginning of its own, and no cost is told. Memory is the peak of the process as
the operating system counts it, that of a GPU as PyTorch does.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

_began: list[float] = []


@dataclass(frozen=True)
class Cost:
    """Wall time and peak memory; None where the system does not tell."""

    seconds: float
    memory_gib: float | None = None
    gpu_gib: float | None = None

    @property
    def time(self) -> str:
        """Return the seconds: `68`, or `6.8` of a short run."""
        return f"{self.seconds:,.0f}" if self.seconds >= 10 else f"{self.seconds:.1f}"

    @property
    def memory(self) -> str:
        """Return `1.2 GiB of memory`, with that of the GPU; empty where it is not known."""
        parts = {"of memory": self.memory_gib, "on the GPU": self.gpu_gib}
        return " and ".join(f"{gib:.1f} GiB {of}" for of, gib in parts.items() if gib is not None)

    def in_words(self) -> str:
        """Return `68 s and 1.2 GiB of memory`."""
        return f"{self.time} s and {self.memory}" if self.memory else f"{self.time} s"


def begin() -> None:
    """Start to count."""
    _began[:] = [time.perf_counter()]


def spent() -> Cost | None:
    """Return what was spent since `begin`, or None if nothing has begun."""
    if not _began:
        return None
    return Cost(time.perf_counter() - _began[0], _memory_gib(), _gpu_gib())


def _memory_gib() -> float | None:
    try:
        import resource
    except ImportError:  # no such module on Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024 ** (3 if sys.platform == "darwin" else 2)  # bytes there, KiB elsewhere


def resident_mb() -> float:
    """Return the memory that the process holds now; where the system does not tell, its peak."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return (_memory_gib() or 0.0) * 1024
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _gpu_gib() -> float | None:
    torch = sys.modules.get("torch")  # a run that never loaded it used no GPU by it
    if torch is None or not torch.cuda.is_available() or not torch.cuda.is_initialized():
        return None
    return float(torch.cuda.max_memory_allocated()) / 1024**3
