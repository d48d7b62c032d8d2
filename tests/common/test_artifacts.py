"""Runs on disk: whole or not there, checked when opened, older ones never harmed."""

import errno
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from common import artifacts, atomic
from common.config import RunConfig
from common.evaluation.report import Estimate, Report, Row, Table

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Source:
    name: str = "toy"
    origin: str = "simulated"
    title: str = "Toy"
    licence: str = "none"
    rows: str = "3 rows"
    checksums: dict[str, str] = field(default_factory=dict)
    notice: str | None = None


@dataclass(frozen=True)
class Trees:
    count: int = 3
    path: Path | None = None
    widths: tuple[int, ...] = (1, 2)


@dataclass(frozen=True)
class Config(RunConfig):
    trees: Trees = field(default_factory=Trees)


@dataclass
class Pipeline:
    text: str = "weights"
    fails: Exception | None = None

    def save(self, folder: Path) -> None:
        (folder / "weights.txt").write_text(self.text)
        (folder / "stage").mkdir()
        (folder / "stage" / "trees.txt").write_text(self.text * 100)
        if self.fails:
            raise self.fails


def report() -> Report:
    rows = (Row("base", {"AUC": Estimate(0.5, 0.4, 0.6), "n": float("nan")}, baseline=True),)
    return Report("toy", Source(), [Table("quality", ("AUC", "n"), rows)])


def save(runs: Path, **pipeline: Any) -> Path:
    return artifacts.save(Pipeline(**pipeline), report(), Config(runs=runs, seed=4), name="toy")


def visible(runs: Path) -> list[str]:
    home = runs / "toy"
    return sorted(path.name for path in home.iterdir() if path.is_dir() and path.name[0] != ".")


def test_a_run_holds_what_a_server_and_a_reader_need(tmp_path: Path) -> None:
    frame = pl.DataFrame({"amount": [1.0, 2.0]})
    config = Config(runs=tmp_path, seed=4, trees=Trees(path=Path("a.csv")))
    run = artifacts.save(Pipeline(), report(), config, name="toy", profile=frame)
    opened = artifacts.open_run("latest", name="toy", runs=tmp_path)
    assert opened.path == run and opened.version == run.name
    assert (opened.pipeline / "weights.txt").read_text() == "weights"
    manifest = opened.manifest
    assert manifest["seed"] == 4 and manifest["config"]["trees"]["path"] == "a.csv"
    assert manifest["dataset"]["name"] == "toy" and manifest["versions"]["python"]
    assert manifest["metrics"] == {"base": {"AUC": 0.5, "n": None}}
    assert set(manifest["files"]) == {
        "pipeline/weights.txt",
        "pipeline/stage/trees.txt",
        "metrics.json",
        "report.html",
        "profile.json",
    }
    json.loads((run / "manifest.json").read_text(), parse_constant=pytest.fail)


def test_a_run_is_found_by_pointer_id_and_path(tmp_path: Path) -> None:
    first, second = save(tmp_path), save(tmp_path)
    for run in ("latest", second.name, second, str(second)):
        assert artifacts.open_run(run, name="toy", runs=tmp_path).path == second
    artifacts.point("production", first)
    assert artifacts.open_run("production", name="toy", runs=tmp_path).path == first


@pytest.mark.parametrize("run", ["latest", "production", "20200101-000000-abcdef", "/no/such"])
def test_a_run_that_is_not_there_names_the_command_to_train(tmp_path: Path, run: str) -> None:
    with pytest.raises(ValueError, match=r"python -m patterns\.toy\.train") as said:
        artifacts.open_run(run, name="toy", runs=tmp_path)
    assert "\n" not in str(said.value)


def test_a_pointer_to_a_deleted_run_says_so(tmp_path: Path) -> None:
    shutil.rmtree(save(tmp_path))
    with pytest.raises(ValueError, match=r"latest names the run .*, which is not there"):
        artifacts.open_run("latest", name="toy", runs=tmp_path)
    (tmp_path / "toy" / "latest").write_text("")
    with pytest.raises(ValueError, match="which is not there"):
        artifacts.open_run("latest", name="toy", runs=tmp_path)


def test_a_run_of_another_pattern_is_refused(tmp_path: Path) -> None:
    run = save(tmp_path)
    with pytest.raises(ValueError, match="is a run of 'toy', not of 'fraud'"):
        artifacts.open_run(run, name="fraud", runs=tmp_path)


def change_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "file",
    ["pipeline/weights.txt", "pipeline/stage/trees.txt", "metrics.json", "report.html"],
)
def test_a_changed_or_missing_file_refuses_to_load(tmp_path: Path, file: str) -> None:
    run = save(tmp_path)
    change_byte(run / file)
    with pytest.raises(ValueError, match=f"{file} does not have the sha256") as said:
        artifacts.open_run(run, name="toy")
    assert "\n" not in str(said.value) and "train again" in str(said.value)
    (run / file).unlink()
    with pytest.raises(ValueError, match=f"{file} is missing"):
        artifacts.open_run(run, name="toy")


@pytest.mark.parametrize("file", ["pipeline/more.txt", "pipeline/.hidden", "notes.txt"])
def test_an_added_file_refuses_to_load(tmp_path: Path, file: str) -> None:
    run = save(tmp_path)
    (run / file).write_text("x")
    with pytest.raises(ValueError, match=r"is not in the manifest") as said:
        artifacts.open_run(run, name="toy")
    assert "\n" not in str(said.value)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: "[]",
        lambda text: text.replace('"format"', '"from"'),
        lambda text: text.replace('"files": {', '"files": [], "other": {'),
        lambda text: text.replace('"seed": 4', '"seed": 5'),
        lambda text: text.replace('"value"', '"other"').replace("0.5", "0.9"),
        lambda text: text.replace('"python"', '"jython"'),
    ],
)
def test_a_changed_manifest_refuses_to_load(tmp_path: Path, damage: Any) -> None:
    run = save(tmp_path)
    manifest = run / "manifest.json"
    whole = manifest.read_text()
    manifest.write_text(damage(whole))
    assert manifest.read_text() != whole
    with pytest.raises(ValueError, match=r"manifest\.json .*train") as said:
        artifacts.open_run(run, name="toy")
    assert "\n" not in str(said.value)


def test_a_run_of_another_format_is_refused_with_the_version_that_wrote_it(tmp_path: Path) -> None:
    run = save(tmp_path)
    manifest = json.loads((run / "manifest.json").read_text())
    manifest |= {"format": 99, "versions": {"ml-system-patterns": "9.8"}}
    (run / "manifest.json").write_text(json.dumps(manifest))
    said = (
        rf"format 99, written by ml-system-patterns 9\.8.* reads format {artifacts.FORMAT}: train"
    )
    with pytest.raises(ValueError, match=said):
        artifacts.open_run(run, name="toy")


def test_a_byte_changed_anywhere_is_noticed(tmp_path: Path) -> None:
    """One byte in each of many places of a run: none loads as if nothing had happened."""
    run = save(tmp_path)
    for path in (run / "manifest.json", run / "pipeline" / "weights.txt"):
        content = path.read_bytes()
        for place in range(0, len(content), max(1, len(content) // 60)):
            changed = bytearray(content)
            changed[place] ^= 0x20
            path.write_bytes(changed)
            try:
                opened = artifacts.open_run(run, name="toy")
            except ValueError:
                continue
            # only what JSON does not count may pass: a blank between its tokens
            assert path.name == "manifest.json"
            assert opened.manifest == json.loads(content)
        path.write_bytes(content)
    artifacts.open_run(run, name="toy")


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
    import test_artifacts as toy
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
    tests = str(Path(__file__).parent)
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
    assert seen <= {run.name + "\n" for run in runs}
    assert [p.name for p in (tmp_path / "toy").iterdir() if p.name.startswith(".")] == []


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
    import test_artifacts as toy
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
    tests = str(Path(__file__).parent)
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
    tests = str(Path(__file__).parent)
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


def test_checkpoints_belong_to_one_configuration(tmp_path: Path) -> None:
    data = tmp_path / "mine.csv"
    data.write_text("a,b\n1,2\n")
    config = Config(runs=tmp_path, trees=Trees(path=data))
    folder = artifacts.checkpoints(config, "toy", Source())
    assert folder.parent == tmp_path / "toy" and folder.name.startswith(".unfinished-")
    assert artifacts.checkpoints(replace(config, resume=True), "toy", Source()) == folder
    others = [
        replace(config, seed=1),
        replace(config, dataset="other"),
        replace(config, device="cpu"),
        replace(config, trees=replace(config.trees, count=4)),
        replace(config, trees=replace(config.trees, path=None)),
        replace(config, trees=replace(config.trees, widths=(2, 1))),
    ]
    folders = {artifacts.checkpoints(other, "toy", Source()) for other in others} | {folder}
    assert len(folders) == len(others) + 1
    assert artifacts.checkpoints(config, "other", Source()).parent == tmp_path / "other"
    elsewhere = Source(name="simulated-toys")
    assert artifacts.checkpoints(config, "toy", elsewhere) not in folders
    data.write_text("a,b\n1,3\n4,5\n")
    assert artifacts.checkpoints(config, "toy", Source()) not in folders


def test_checkpoints_notice_a_changed_file_in_an_input_folder(tmp_path: Path) -> None:
    (tmp_path / "images" / "cat").mkdir(parents=True)
    (tmp_path / "images" / "cat" / "1.png").write_bytes(b"x")
    config = Config(runs=tmp_path / "runs", trees=Trees(path=tmp_path / "images"))
    before = artifacts.checkpoints(config, "toy", Source())
    (tmp_path / "images" / "cat" / "2.png").write_bytes(b"y")
    assert artifacts.checkpoints(config, "toy", Source()) != before


def test_saving_removes_the_checkpoints_of_this_configuration_only(tmp_path: Path) -> None:
    config = Config(runs=tmp_path)
    mine = artifacts.checkpoints(config, "toy", Source())
    other = artifacts.checkpoints(replace(config, seed=9), "toy", Source())
    for folder in (mine, other):
        folder.mkdir(parents=True)
        (folder / "step.safetensors").write_bytes(b"x")
    artifacts.save(Pipeline(), report(), config, name="toy")
    assert not mine.exists() and (other / "step.safetensors").exists()


def test_a_config_with_what_json_lacks_is_kept_as_text(tmp_path: Path) -> None:
    config = Config(runs=tmp_path, trees=Trees(count=float("inf")))  # type: ignore[arg-type]
    run = artifacts.save(Pipeline(), report(), config, name="toy")
    assert artifacts.open_run(run, name="toy").manifest["config"]["trees"]["count"] == "Infinity"


def test_json_with_nan_is_refused_and_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    atomic.write_json(path, {"title": "Amélie"})
    with pytest.raises(ValueError, match="not JSON compliant"):
        atomic.write_json(path, {"auc": float("nan")})
    assert json.loads(path.read_text(encoding="utf-8")) == {"title": "Amélie"}
    assert list(tmp_path.iterdir()) == [path]
