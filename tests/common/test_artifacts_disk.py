"""Saving a run where the disk fails: one clear line, and the older run stays."""

import errno
import resource
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from toy_run import save, visible

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("full", [True, False])
def test_a_failed_write_of_any_library_is_an_error_of_the_disk(
    tmp_path: Path, full: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = save(tmp_path)
    if full:
        usage = shutil.disk_usage(tmp_path)._replace(free=0)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    words = "odd" if full else "Error in faiss::write_index: write error in a.faiss"
    with pytest.raises(OSError, match="a.faiss|odd") as said:
        save(tmp_path, fails=RuntimeError(words))
    assert said.value.errno == (errno.ENOSPC if full else errno.EIO)
    assert visible(tmp_path) == [older.name]


FILLS_A_DISK = """
    import sys
    sys.path.insert(0, {tests!r})
    import toy_run as toy
    from common import config
    from pathlib import Path
    from safetensors.numpy import save_file
    import numpy as np

    class Big(toy.Pipeline):
        def save(self, folder):
            {write}

    runs = Path({runs!r})
    older = toy.save(runs, text="older")
    toy.Pipeline = Big
    try:
        config.run(lambda _: toy.save(runs), {{"default": toy.Config()}}, description="", argv=())
    finally:
        assert toy.visible(runs) == [older.name], toy.visible(runs)
        assert not list((runs / "toy").glob(".*.part"))
        assert toy.artifacts.open_run("latest", name="toy", runs=runs).path == older
        print("older run intact")
"""
WRITES = {
    "python": '(folder / "big").write_bytes(bytes(4_000_000))',
    "safetensors": 'save_file({"x": np.zeros(1_000_000)}, folder / "big.safetensors")',
}


@pytest.mark.parametrize("writer", WRITES)
def test_a_full_disk_is_one_clear_line_and_the_older_run_stays(tmp_path: Path, writer: str) -> None:
    runs = tmp_path / "disk"
    runs.mkdir()
    tests = str(ROOT / "tests")
    write = WRITES[writer]
    code = textwrap.dedent(FILLS_A_DISK).format(tests=tests, runs=str(runs), write=write)
    mount = f"mount -t tmpfs -o size=1M none '{runs}' && exec \"$@\""
    command = ["unshare", "-rm", "sh", "-c", mount, "sh", sys.executable, "-c", code]
    probe = subprocess.run(
        ["unshare", "-rm", "sh", "-c", mount, "sh", "true"], capture_output=True, check=False
    )
    if probe.returncode:
        pytest.skip("no file system of its own can be mounted here, so no disk can be filled")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert "older run intact" in done.stdout
    assert done.stderr.startswith("error the disk is full") and "--runs" in done.stderr
    assert "Traceback" not in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize("writer", WRITES)
def test_a_write_that_is_cut_short_is_one_clear_line_and_the_older_run_stays(
    tmp_path: Path, writer: str
) -> None:
    tests = str(ROOT / "tests")
    code = textwrap.dedent(FILLS_A_DISK).format(
        tests=tests, runs=str(tmp_path), write=WRITES[writer]
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000)),
    )
    assert done.returncode == 2, done.stderr
    assert "older run intact" in done.stdout
    assert done.stderr.startswith("error ") and done.stderr.count("\n") == 1
    assert "the limit on the size of files" in done.stderr and "Errno" not in done.stderr
