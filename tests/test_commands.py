"""The shell blocks of the READMEs, run in an empty folder as a reader would.

Train commands get `--preset smoke`, benchmarks `--smoke`, so that seconds suffice, servers a free
port in place of 8000; all else runs as written. `make` is left out, since it is what runs this.
Commands that name a public dataset need the mirror and are left out without it; the pictures that a
command speaks of are made first.
"""

import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from test_docs import PAGES, ROOT, commands

PUBLIC = (
    "handbook-fraud",
    "movielens",
    "ml100k",
    "msrd",
    "banking77",
    "multi30k",
    "wikigold",
    "wnut17",
    "fashion-mnist",
    "bccd",
    "nuclei ",
    "camvid",
)
OWN_DATA = ROOT / "docs" / "your-data.md"  # its blocks run whole, section by section
RUNNABLE = [
    page
    for page in PAGES
    if page != OWN_DATA and any(line.startswith("python") for line in commands(page))
]
DOORS = {
    section.partition("\n")[0]: blocks
    for section in OWN_DATA.read_text(encoding="utf-8").split("\n## ")
    if (blocks := re.findall(r"```(bash|python)\n(.*?)```", section, re.DOTALL))
}


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def as_run(line: str, port: str) -> str | None:
    """Give the line to run, or nothing where it is left out."""
    if not line.startswith(("python", "curl")) or "pytest" in line:
        return None
    if any(name in line for name in PUBLIC) and not os.environ.get("ML_PATTERNS_MIRROR"):
        return None
    if re.search(r"\.train\b", line) and "--preset" not in line and "--protocol" not in line:
        line += " --preset smoke"
    if "--protocol dsb-96" in line:  # the network of the default preset, eight minutes of a core
        line = line.replace("--protocol dsb-96", "--protocol dsb-96 --training.epochs 1")
    line = line.replace("8000", port)
    if ".serve" in line and "--port" not in line:
        line = f"{line.rstrip('& ')} --port {port}"
    return f"{line} --smoke" if "-m benchmarks." in line else line


def run(line: str, folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        ["bash", "-c", line], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{line}\n{done.stdout[-1500:]}\n{done.stderr[-1500:]}"
    return done.stdout


def serve(
    line: str, port: str, folder: Path, environment: dict[str, str]
) -> subprocess.Popen[bytes]:
    """Start a server and wait until it is ready."""
    server = subprocess.Popen(
        ["bash", "-c", "exec " + line.rstrip("& ")],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for _ in range(600):
        assert server.poll() is None, f"{line} ended with {server.returncode}"
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1) as answer:
                if answer.status == 200:
                    return server
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            pass
        time.sleep(0.1)
    server.kill()
    raise AssertionError(f"{line} was not ready within a minute")


def make_pictures(folder: Path) -> None:
    from PIL import Image

    for name in ("photo.png", "slide.jpg", "cells.png"):
        Image.new("RGB", (96, 96), (200, 120, 160)).save(folder / name)


def as_a_reader() -> dict[str, str]:
    """Give the environment in which `python` is this one and finds the project."""
    here = str(Path(sys.executable).parent)
    return os.environ | {
        "PATH": f"{here}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("door", DOORS)
def test_examples_of_own_data_run_as_written(door: str, tmp_path: Path) -> None:
    for kind, block in DOORS[door]:
        if kind == "bash":
            run(f"set -e\n{block}", tmp_path, as_a_reader())
        else:
            (tmp_path / "example.py").write_text(block, encoding="utf-8")
            run("python example.py", tmp_path, as_a_reader())
    assert list((tmp_path / "runs").rglob("report.html")), "no run was made"


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("page", RUNNABLE, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_run_as_written(page: Path, tmp_path: Path) -> None:
    make_pictures(tmp_path)
    environment = as_a_reader()
    if page == ROOT / "README.md":  # it serves what `make recsys` trained
        run("python -m patterns.recsys.train --preset smoke", tmp_path, environment)
    port = free_port()
    lines = [line for each in commands(page) if (line := as_run(each, port))]
    server = None
    try:
        for line in lines:
            if ".serve" in line:
                server = serve(line, port, tmp_path, environment)
                continue
            printed = run(line, tmp_path, environment)
            if "curl" in line:
                assert '"model_version":"2' in printed.replace(" ", ""), printed
    finally:
        if server:
            server.terminate()
            assert server.wait(30) == 0
