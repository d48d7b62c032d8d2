"""What the speed benchmarks share: one thread, fair repeats, and one way to keep a result.

Calls that are compared take turns, so that a busy moment of the machine falls on all of them alike,
and their medians are told. Every library gets one thread: a ratio then speaks of the code and not
of who woke more threads.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.figures import README, machine, markdown, render_into
from benchmarks.kept import read, result_path
from common import console
from common.atomic import write_json

if TYPE_CHECKING:
    from common.evaluation.report import Report

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def is_smoke(name: str, description: str, arguments: Sequence[str]) -> bool:
    """Read the command line: whether to run small and keep nothing."""
    parser = ArgumentParser(
        prog=f"python -m benchmarks.{name}",
        description=description,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("--smoke", action="store_true", help="run small; keep and render nothing")
    return bool(parser.parse_args(arguments).smoke)


def one_thread() -> None:
    """Return one thread to each library that is loaded, and to those that will be."""
    from threadpoolctl import threadpool_limits

    os.environ.update(dict.fromkeys(THREADS, "1"))
    threadpool_limits(1)


def interleaved(
    calls: Mapping[str, Callable[[], object]], *, repeats: int, warm_up: int = 2
) -> dict[str, float]:
    """Return the median seconds of each call; every other round runs backwards."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for repeat in range(-warm_up, repeats):
        order = list(calls) if repeat % 2 else list(calls)[::-1]
        for name in order:
            start = time.perf_counter()
            calls[name]()
            if repeat >= 0:
                seconds[name].append(time.perf_counter() - start)
    return {name: float(np.median(each)) for name, each in seconds.items()}


def keep(name: str, report: Report, *, started: float, packages: Sequence[str]) -> None:
    """Keep `report` as the result of `name` and rewrite its block in the README."""
    result = {
        "command": f"python -m benchmarks.{name}",
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "seconds": round(time.perf_counter() - started, 1),
        "peak_memory_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024**2), 2),
        "machine": f"{machine()}, one thread",
        "versions": _versions(packages),
        "metrics": report.to_dict(),
    }
    path = result_path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, result)
    for figure in report.figures:
        path.with_suffix(".png").write_bytes(figure.png)
    render_into(README, markdown(read(name)), block=name)
    console.info(f"kept {path.relative_to(README.parent.parent)}, rendered into {README.name}")


def _versions(packages: Sequence[str]) -> dict[str, str]:
    versions = {"python": sys.version.split()[0]}
    for package in ("numpy", *packages):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions
