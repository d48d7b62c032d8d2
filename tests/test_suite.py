"""What `conftest.py` promises: one thread a worker, and no test that CI skips in silence."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

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


def outcome(folder: Path, content: str, **environment: str) -> tuple[str, str]:
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
        [sys.executable, "-m", "pytest", "-rA", "-p", "no:xdist", str(folder)],
        env=inherited | environment,
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
