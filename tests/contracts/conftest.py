"""Each pipeline is trained once a session, by its smoke preset."""

from pathlib import Path

import pytest
from contracts.cases import CASES, Case

from common.artifacts import Run, open_run

_trained: dict[str, Path] = {}


@pytest.fixture(params=CASES, ids=[case.name for case in CASES])
def case(request: pytest.FixtureRequest) -> Case:
    """Give each pipeline in turn."""
    return request.param


@pytest.fixture
def trained(case: Case, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Give the opened run of the pipeline's smoke preset."""
    if case.name not in _trained:
        _trained[case.name] = case.train(tmp_path_factory.mktemp("runs"))
    return open_run(_trained[case.name], name=case.name)
