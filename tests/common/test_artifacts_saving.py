"""Saving a run: whole or not there, whoever dies in the midst of it, and the older run stays."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
from toy_run import save, visible

from common import artifacts, atomic

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("problem", [ValueError("bad"), KeyError("x"), KeyboardInterrupt()])
def test_a_save_that_fails_leaves_nothing_and_the_older_run(
    tmp_path: Path, problem: Exception
) -> None:
    older = save(tmp_path)
    with pytest.raises(type(problem)):
        save(tmp_path, fails=problem)
    assert visible(tmp_path) == [older.name]
    assert sorted(p.name for p in (tmp_path / "toy").iterdir()) == sorted([older.name, "latest"])
    assert artifacts.open_run("latest", name="toy", runs=tmp_path).path == older


SAVER = """
    import sys, time
    sys.path.insert(0, {tests!r})
    import toy_run as toy
    from pathlib import Path

    class Slow(toy.Pipeline):
        def save(self, folder):
            super().save(folder)
            print("half way", flush=True)
            if {endless}:
                time.sleep(60)

    toy.Pipeline = Slow
    while True:
        toy.save(Path({runs!r}), text="newer")
"""


def start_saving(runs: Path, *, endless: bool) -> subprocess.Popen[str]:
    """Start a process that saves runs, stopping in the midst of the first if `endless`."""
    tests = str(ROOT / "tests")
    code = textwrap.dedent(SAVER).format(tests=tests, runs=str(runs), endless=endless)
    child = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None and child.stdout.readline() == "half way\n"
    return child


def kill(child: subprocess.Popen[str]) -> None:
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert child.stdout is not None
    child.stdout.close()


def test_a_process_killed_in_the_midst_of_a_save_harms_nothing(tmp_path: Path) -> None:
    older = save(tmp_path, text="older")
    child = start_saving(tmp_path, endless=True)
    between = save(tmp_path, text="between")  # a second writer leaves the living one alone
    assert len(list((tmp_path / "toy").glob(".*.part"))) == 1
    kill(child)
    assert visible(tmp_path) == sorted([older.name, between.name])
    opened = artifacts.open_run("latest", name="toy", runs=tmp_path)
    assert opened.path == between and artifacts.open_run(older, name="toy")

    for part in (tmp_path / "toy").glob(".*.part"):
        os.utime(part, (time.time() - 3600, time.time() - 3600))
    save(tmp_path)  # the next save sweeps away what the dead one left
    assert not list((tmp_path / "toy").glob(".*.part"))


def test_a_writer_killed_at_any_moment_leaves_only_whole_runs(tmp_path: Path) -> None:
    save(tmp_path, text="older")
    for delay in (0.0, 0.004, 0.009, 0.015):
        child = start_saving(tmp_path, endless=False)
        time.sleep(delay)
        kill(child)
        for run in visible(tmp_path):
            artifacts.open_run(run, name="toy", runs=tmp_path)
        artifacts.open_run("latest", name="toy", runs=tmp_path)


def test_sweeping_spares_a_folder_that_is_locked_or_young(tmp_path: Path) -> None:
    home = tmp_path / "toy"
    for name in (".locked.part", ".young.part", ".old.part"):
        (home / name).mkdir(parents=True)
    for name in (".locked.part", ".old.part"):
        os.utime(home / name, (time.time() - 3600, time.time() - 3600))
    lock = atomic._locked(home / ".locked.part")
    assert lock is not None
    save(tmp_path)
    assert {path.name for path in home.glob(".*.part")} == {".locked.part", ".young.part"}
    os.close(lock)


def test_readers_of_a_pointer_never_see_half_of_it(tmp_path: Path) -> None:
    runs = [tmp_path / "toy" / name for name in ("a" * 10, "b" * 3000)]
    for run in runs[:1]:
        run.mkdir(parents=True)
    artifacts.point("latest", runs[0])
    seen: set[str] = set()
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            seen.add((tmp_path / "toy" / "latest").read_text())

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for turn in range(60):
        artifacts.point("latest", runs[turn % 2])
    stop.set()
    for reader in readers:
        reader.join()
    assert seen == {run.name + "\n" for run in runs}
    assert [p.name for p in (tmp_path / "toy").iterdir() if p.name.startswith(".")] == []
