"""The threads that predict, and the bounded queue in front of them.

The event loop only reads, checks and answers; a blocking `predict` would freeze every other
connection, health checks included. So it runs in a small pool of threads. More threads than cores
make every request slower together, which shows as a p99 that explodes: hence few threads (one by
default, each with all cores for its matrix products) and a short queue. A request that would wait
behind a full queue is refused at once with 503 and Retry-After, and so is one that waited past its
deadline: work nobody waits for any more must not delay the work somebody does.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class Busy(Exception):
    """The queue is full, or the request waited too long in it."""


class Worker:
    """Runs blocking calls in `concurrency` threads, at most `queue_limit` more waiting."""

    def __init__(
        self, *, concurrency: int = 1, queue_limit: int = 128, queue_seconds: float = 10.0
    ) -> None:
        self.capacity = concurrency + queue_limit
        self.queue_seconds = queue_seconds
        self.pending = 0
        self._pool = ThreadPoolExecutor(
            concurrency, thread_name_prefix="predict", initializer=_match_torch_threads
        )

    async def run(self, call: Callable[[], T]) -> tuple[T, float]:
        """Return `call()` and the milliseconds it waited; raises `Busy` rather than wait long."""
        if self.pending >= self.capacity:
            raise Busy(f"{self.pending} requests are already waiting")
        self.pending += 1
        entered = time.perf_counter()
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._pool, self._in_time, call, entered
            )
        finally:
            self.pending -= 1

    def _in_time(self, call: Callable[[], T], entered: float) -> tuple[T, float]:
        waited = time.perf_counter() - entered
        if waited > self.queue_seconds:
            raise Busy(f"waited {waited:.1f} s in the queue")
        return call(), waited * 1000.0

    def close(self) -> None:
        """Let running calls finish and end the threads."""
        self._pool.shutdown(wait=True)


def limit_threads(concurrency: int) -> None:
    """Share the cores among `concurrency` predicting threads; call it before heavy imports.

    Numerical libraries read these variables when they load, and each would otherwise start as
    many threads as there are cores, once per predicting thread. What the user has set is kept.
    """
    cores = len(os.sched_getaffinity(0))
    for variable in THREAD_VARIABLES:
        os.environ.setdefault(variable, str(max(1, cores // concurrency)))


def _match_torch_threads() -> None:
    """Set torch's thread count in this thread too: OpenMP keeps it per thread, not per process."""
    torch = sys.modules.get("torch")
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    if torch is not None and wanted.isdecimal():
        torch.set_num_threads(int(wanted))
