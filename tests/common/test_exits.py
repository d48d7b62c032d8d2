"""How commands end, in real processes: one line, the exit code, and what is left on the disk."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from common import exits

ROOT = Path(__file__).parents[2]
HEAD = "from pathlib import Path\nimport sys, time\nfrom common import artifacts, config, console\n"
HEAD += "import toy_run as toy\n"
RUN = "\nconfig.run(main, {'default': toy.Config()}, description='', argv=sys.argv[1:])\n"
CHECKPOINT = """
    folder = artifacts.checkpoints(settings, "toy", toy.Source()) / "tower"
    folder.mkdir(parents=True)
"""
WRITTEN = CHECKPOINT + '    (folder / "checkpoint.json").write_text("{}")\n'


def command(body: str) -> list[str]:
    """Return a command whose main has `body`; its flags follow."""
    return [sys.executable, "-c", f"{HEAD}\ndef main(settings):\n{body}\n{RUN}"]


def environment(**more: str) -> dict[str, str]:
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    return {**os.environ, "PYTHONPATH": paths, **more}


def run(body: str, runs: Path, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*command(body), "--runs", str(runs)],
        capture_output=True, text=True, env=environment(**more), cwd=ROOT, timeout=60, check=False,
    )  # fmt: skip


def unfinished(runs: Path) -> list[str]:
    return [path.name for path in runs.rglob(".unfinished-*")]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("    import polars\n    polars.DataFrame({'a': [1]}).select('b')", "polars refused"),
        (
            "    import torch\n    torch.nn.Linear(3, 2)(torch.ones(1, 4))",
            "torch refused what it was given: mat1 and mat2 shapes",
        ),
        (
            "    from sklearn.linear_model import Ridge\n    Ridge().fit([[float('nan')]], [1])",
            "sklearn refused what it was given: Input X contains NaN",
        ),
        ("    import numpy\n    numpy.ones((10**7, 10**7))", "not enough memory (Unable to alloc"),
        ("    raise MemoryError", "not enough memory (MemoryError)"),
        ("    raise ValueError('path: nothing there')", "path: nothing there"),
    ],
)
def test_what_a_library_or_the_memory_refuses_is_one_line(
    tmp_path: Path, body: str, said: str
) -> None:
    done = run(body, tmp_path)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith(f"error {said}") and done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_a_mistake_in_the_program_is_one_line_that_names_its_place(tmp_path: Path) -> None:
    body = "    artifacts.point('latest', None)"
    done = run(body, tmp_path)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "AttributeError: " in done.stderr and "ML_PATTERNS_DEBUG=1" in done.stderr
    assert "(common/artifacts.py, line " in done.stderr
    shown = run(body, tmp_path, ML_PATTERNS_DEBUG="1")
    assert shown.returncode == 1 and "Traceback" in shown.stderr


@pytest.mark.parametrize("problem", ["ValueError('no')", "KeyError('x')", "RuntimeError('no')"])
def test_a_run_that_is_refused_or_fails_leaves_no_checkpoints(tmp_path: Path, problem: str) -> None:
    done = run(f"{WRITTEN}    raise {problem}", tmp_path)
    assert done.returncode in (1, 2) and unfinished(tmp_path) == []


def test_checkpoints_of_an_earlier_run_are_not_removed(tmp_path: Path) -> None:
    run(f"{WRITTEN}    raise MemoryError", tmp_path)
    assert len(unfinished(tmp_path)) == 1
    done = run(
        WRITTEN.replace("mkdir(parents=True)", "is_dir()") + "    raise ValueError", tmp_path
    )
    assert done.returncode == 2 and len(unfinished(tmp_path)) == 1


@pytest.mark.parametrize("problem", ["MemoryError", "OSError(28, 'full')"])
def test_where_memory_or_disk_ran_out_the_checkpoints_stay_and_it_is_said(
    tmp_path: Path, problem: str
) -> None:
    done = run(f"{WRITTEN}    raise {problem}", tmp_path)
    assert done.returncode == 2 and len(unfinished(tmp_path)) == 1
    assert "add --resume to the same command" in done.stderr


def test_an_empty_folder_of_checkpoints_goes(tmp_path: Path) -> None:
    done = run(f"{CHECKPOINT}    raise MemoryError", tmp_path)
    assert unfinished(tmp_path) == [] and "--resume" not in done.stderr


@pytest.mark.parametrize(
    ("sent", "code"), [(signal.SIGINT, exits.INTERRUPTED), (signal.SIGTERM, exits.TERMINATED)]
)
@pytest.mark.parametrize("written", [True, False])
def test_an_interrupt_names_resume_where_there_is_something_to_resume(
    tmp_path: Path, sent: signal.Signals, code: int, written: bool
) -> None:
    body = (WRITTEN if written else "") + "    console.info('working')\n    time.sleep(30)"
    child = subprocess.Popen(
        [*command(body), "--runs", str(tmp_path)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(), cwd=ROOT,
    )  # fmt: skip
    assert child.stdout is not None and child.stdout.readline() == "  working\n"
    child.send_signal(sent)
    _, said = child.communicate(timeout=30)
    assert child.returncode == code and said.startswith("error interrupted")
    assert ("--resume" in said) is written and len(unfinished(tmp_path)) == int(written)


@pytest.mark.parametrize("printed", ["console.info('line')", "print('line', flush=True)"])
def test_output_that_nobody_reads_ends_quietly(tmp_path: Path, printed: str) -> None:
    body = f"    for _ in range(10**6):\n        {printed}"
    child = subprocess.Popen(
        [*command(body), "--runs", str(tmp_path)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), cwd=ROOT,
    )  # fmt: skip
    assert child.stdout is not None and child.stderr is not None
    child.stdout.readline()
    child.stdout.close()
    began = time.monotonic()
    assert child.wait(timeout=30) == 141 and child.stderr.read() == b""
    assert time.monotonic() - began < 20
    child.stderr.close()
