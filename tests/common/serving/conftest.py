"""The echo service, a run of it, and a client, for the tests in this folder."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPT = Path(__file__).with_name("echo_service.py")


def load_echo() -> ModuleType:
    name = "echo_service_for_tests"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, SCRIPT)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture(scope="session")
def echo() -> ModuleType:
    return load_echo()


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
