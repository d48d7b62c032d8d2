"""The echo service, a run of it, and a client, for the tests in this folder."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

SCRIPT = Path(__file__).with_name("echo_service.py")
ROOT = Path(__file__).resolve().parents[3]


def load_script(stem: str) -> ModuleType:
    """Load a service beside this file, which is no module of a package."""
    name = f"{stem}_for_tests"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, SCRIPT.with_stem(stem))
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture(scope="session", name="load_script")
def _load_script() -> Callable[[str], ModuleType]:
    return load_script


@pytest.fixture(scope="session")
def echo() -> ModuleType:
    return load_script("echo_service")


@pytest.fixture(scope="session")
def echo_run(echo: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return echo.save_run(tmp_path_factory.mktemp("runs"))


@pytest.fixture
def client(echo: ModuleType, echo_run: Any) -> Iterator[Any]:
    from fastapi.testclient import TestClient

    from common.serving import create_app

    app = create_app(echo.EchoService(), echo_run, max_body_bytes=50_000)
    with TestClient(app, raise_server_exceptions=False) as testing:
        yield testing


class Running:
    """Starts a service beside this file as a process of its own and waits until it is ready."""

    @contextmanager
    def __call__(
        self, runs: Path, *flags: str, script: str = "echo_service", **environment: str
    ) -> Iterator[tuple[subprocess.Popen[str], str]]:
        """Start on a free port; give the process and its address as it printed it."""
        process = subprocess.Popen(
            [
                sys.executable,
                str(SCRIPT.with_stem(script)),
                "--runs",
                str(runs),
                "--port",
                "0",
                *flags,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            cwd=ROOT,
        )
        try:
            assert process.stdout is not None
            found = re.search(r"http://\S+", process.stdout.readline())
            assert found, process.communicate(timeout=10)[1]
            yield process, found.group()
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate(timeout=10)

    def ready(self, url: str, seconds: float = 15.0) -> list[int]:
        """Poll /readyz until it says 200; gives every status seen on the way."""
        seen: list[int] = []
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            seen.append(httpx.get(f"{url}/readyz", timeout=5).status_code)
            if seen[-1] == 200:
                return seen
            time.sleep(0.05)
        raise AssertionError(f"not ready: {seen}")


@pytest.fixture(scope="session")
def running() -> Running:
    return Running()


@pytest.fixture(scope="session")
def runs(echo_run: Any) -> Path:
    return echo_run.path.parent.parent
