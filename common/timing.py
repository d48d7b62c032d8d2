"""How long each stage of an answer took; what a service tells and a pipeline hands on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class StageTimes:
    """Milliseconds by stage: `with times("ranking"): ...`, then read `times.milliseconds`."""

    def __init__(self) -> None:
        self.milliseconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Time the block and add it to `stage`."""
        start = time.perf_counter()
        try:
            yield
        finally:
            spent = (time.perf_counter() - start) * 1000.0
            self.milliseconds[stage] = round(self.milliseconds.get(stage, 0.0) + spent, 3)
