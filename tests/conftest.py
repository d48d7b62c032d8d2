"""What all tests share: one thread, no skips in CI, a home of its own for caches, smoke runs.

`make test` spreads the tests over worker processes (see `workers.py`). Each computes on one thread,
so that none waits for the core of another. A smoke run is trained by the worker that asks first and
read by all.
"""

import json
import os
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from filelock import FileLock

THREADS = ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "NUMBA", "RAYON")
os.environ.update({f"{library}_NUM_THREADS": "1" for library in THREADS})
os.environ["POLARS_MAX_THREADS"] = "1"
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # several workers share the cores: all sleep
os.environ.setdefault("GOMP_SPINCOUNT", "0")
assert not {"numpy", "polars", "torch"} & sys.modules.keys(), "loaded before the threads were set"

NO_MIRROR = "ML_PATTERNS_MIRROR is not set: no real data"
R = TypeVar("R", pytest.TestReport, pytest.CollectReport)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Spread the tests by `workers.group`."""
    from workers import ByGroup

    return ByGroup(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip `mirror` tests, saying why, where there is no mirror."""
    for item in items:
        if _lacks_mirror(item):
            item.add_marker(pytest.mark.skip(reason=NO_MIRROR))


def _lacks_mirror(item: pytest.Item) -> bool:
    marked = item.get_closest_marker("mirror") is not None
    return marked and not os.environ.get("ML_PATTERNS_MIRROR")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let only a GPU and real data be missed in CI."""
    report = yield
    excused = item.get_closest_marker("gpu") is not None or _lacks_mirror(item)
    return report if excused else _no_skip_in_ci(report)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Hold whole files to the same."""
    return _no_skip_in_ci((yield))


def _no_skip_in_ci(report: R) -> R:
    """Turn a skip into a failure that tells its reason, where `ML_PATTERNS_CI` is set."""
    if os.environ.get("ML_PATTERNS_CI") and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"CI skips nothing but for want of a GPU: {report.longrepr}"
    return report


@pytest.fixture(autouse=True, scope="session")
def own_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keep the tests' cache apart from the user's."""
    home = tmp_path_factory.mktemp("home")
    os.environ["ML_PATTERNS_HOME"] = str(home)
    return home


@pytest.fixture(scope="session")
def smoke_record(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, Any]]:
    """Train a pattern's smoke preset, once for all workers; `Case.train` says what is told."""
    from contracts.cases import CASES

    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    cases = {case.key: case for case in CASES}

    def trained(name: str) -> dict[str, Any]:
        runs = shared / "smoke" / name.replace("/", "-").replace(":", "-")
        runs.mkdir(parents=True, exist_ok=True)
        kept = runs / "trained.json"
        with FileLock(runs / "lock"):
            if not kept.exists():
                kept.write_text(json.dumps(cases[name].train(runs)), encoding="utf-8")
        return json.loads(kept.read_text(encoding="utf-8"))

    return trained


@pytest.fixture(scope="session")
def smoke_run(smoke_record: Callable[[str], dict[str, Any]]) -> Callable[[str], Path]:
    """Return the folder of the run of a pattern's smoke preset."""
    return lambda name: Path(smoke_record(name)["run"])
