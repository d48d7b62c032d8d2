"""What `conftest.py` promises: one thread a worker, whole groups, nothing skipped in silence."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from workers import group

SKIPS = """
import pytest

@pytest.mark.skip(reason="bm25s is not installed")
def test_library(): ...

@pytest.mark.gpu
@pytest.mark.skip(reason="no GPU")
def test_gpu(): ...

@pytest.mark.mirror
def test_mirror(): ...

@pytest.mark.xfail
def test_expected(): raise ValueError

def test_sound(): ...
"""
OF_ONE_FILE = """
import os, pytest

@pytest.mark.parametrize("number", range(20))
def test_some(number, tmp_path_factory):
    shared = tmp_path_factory.getbasetemp().parent
    (shared / (os.environ["PYTEST_XDIST_WORKER"] + os.path.basename(__file__))).touch()
    assert len(list(shared.glob("gw?" + os.path.basename(__file__)))) == 1
"""
SKIPPED_FILE = "import pytest\npytest.importorskip('no_such_library')\n"


def test_every_library_computes_on_one_thread() -> None:
    import faiss
    import numba
    import polars
    import torch
    from threadpoolctl import threadpool_info

    assert {pool["num_threads"] for pool in threadpool_info()} == {1}
    assert torch.get_num_threads() == polars.thread_pool_size() == numba.get_num_threads() == 1
    assert faiss.omp_get_max_threads() == 1


def outcome(folder: Path, content: str, *flags: str, **environment: str) -> tuple[str, str]:
    """Run one test file under this suite's conftest; return the last line and all that was said."""
    (folder / "conftest.py").write_text(Path(__file__).with_name("conftest.py").read_text())
    (folder / "test_some.py").write_text(content)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n  gpu:\n  mirror:\n")
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ML_PATTERNS_", "PYTEST_"))
    }
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-rA", *(flags or ("-p", "no:xdist")), str(folder)],
        env=inherited | environment | {"PYTHONPATH": str(Path(__file__).parent)},
        capture_output=True,
        text=True,
    )
    return done.stdout.splitlines()[-1], done.stdout


def test_a_skip_is_a_skip_outside_ci(tmp_path: Path) -> None:
    last, _ = outcome(tmp_path, SKIPS)
    assert "1 passed, 3 skipped, 1 xfailed" in last


def test_ci_fails_what_is_skipped_and_tells_why(tmp_path: Path) -> None:
    last, said = outcome(tmp_path, SKIPS, ML_PATTERNS_CI="1")
    assert "1 passed, 2 skipped, 1 xfailed, 1 error" in last
    assert "CI skips nothing" in said and "bm25s is not installed" in said


@pytest.mark.parametrize(("ci", "expected"), [("", "1 skipped"), ("1", "1 error")])
def test_ci_fails_a_file_that_is_skipped(tmp_path: Path, ci: str, expected: str) -> None:
    last, said = outcome(tmp_path, SKIPPED_FILE, ML_PATTERNS_CI=ci)
    assert expected in last
    assert "no_such_library" in said


def test_a_group_is_a_file_the_contracts_of_a_pattern_or_the_commands_of_a_page() -> None:
    contract = "tests/contracts/test_pipelines.py::test_no_pickle[vision/detection]"
    page = "tests/test_commands.py::test_commands_run_as_written[README.md]"
    assert group(contract) == "vision/detection" and group(page) == page
    assert group("tests/data/test_x.py::test_y[a]") == group("tests/data/test_x.py::test_z")


def test_the_tests_of_a_file_run_on_one_worker(tmp_path: Path) -> None:
    (tmp_path / "test_other.py").write_text(OF_ONE_FILE)
    last, said = outcome(tmp_path, OF_ONE_FILE, "-n2", "-v")
    assert "40 passed" in last, said
    assert "[gw0]" in said and "[gw1]" in said
