"""Each pipeline is trained once a session, by its smoke preset."""

from collections.abc import Callable
from pathlib import Path

import pytest
from contracts.cases import CASES, Case

from common.artifacts import Run, open_run


@pytest.fixture(params=CASES, ids=[case.key for case in CASES])
def case(request: pytest.FixtureRequest) -> Case:
    """Give each pipeline in turn."""
    return request.param


@pytest.fixture
def trained(case: Case, smoke_run: Callable[[str], Path]) -> Run:
    """Give the opened run of the pipeline's smoke preset."""
    return open_run(smoke_run(case.key), name=case.name)
