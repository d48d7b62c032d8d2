"""What all tests share: the mirror marker, a home of its own for caches, no network for hubs."""

import os
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as `common.config.run` has it


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip `mirror` tests, saying why, where there is no mirror."""
    if os.environ.get("ML_PATTERNS_MIRROR"):
        return
    for item in items:
        if item.get_closest_marker("mirror"):
            item.add_marker(pytest.mark.skip(reason="ML_PATTERNS_MIRROR is not set: no real data"))


@pytest.fixture(autouse=True, scope="session")
def own_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keep the tests' cache apart from the user's."""
    home = tmp_path_factory.mktemp("home")
    os.environ["ML_PATTERNS_HOME"] = str(home)
    return home


@pytest.fixture(scope="session")
def smoke_run(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Give the run of a pattern's smoke preset, by its own main, trained once a session."""
    trained: dict[str, Path] = {}

    def run(name: str) -> Path:
        if name not in trained:
            package = f"patterns.{name.replace('/', '.')}"
            preset = import_module(f"{package}.config").PRESETS["smoke"]
            config = replace(preset, runs=tmp_path_factory.mktemp("runs"))
            trained[name] = import_module(f"{package}.train").main(config)
        return trained[name]

    return run
