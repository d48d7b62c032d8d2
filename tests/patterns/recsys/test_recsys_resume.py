"""A killed training run is resumed from its checkpoints and ends as if nothing had happened."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from common import artifacts
from patterns.recsys.train import main

ROOT = Path(__file__).parents[3]


def pipeline_bytes(run: Path) -> dict[str, bytes]:
    folder = run / "pipeline"
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.slow
def test_a_killed_run_resumes_to_the_same_artifact(trained, tmp_path: Path) -> None:
    config = replace(trained.config, runs=tmp_path)
    command = [sys.executable, "-m", "patterns.recsys.train", "--preset", "smoke"]
    environment = os.environ | {"OMP_WAIT_POLICY": "PASSIVE"}
    child = subprocess.Popen(
        [*command, "--runs", str(tmp_path), "--device", "cpu"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    checkpoints = artifacts.checkpoints(config, "recsys", trained.splits.source)
    deadline = time.monotonic() + 120
    while not list(checkpoints.glob("deepfm/**/*.safetensors")):  # half way through the rankers
        assert child.poll() is None, "the run ended before it wrote a checkpoint"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait()
    with pytest.raises(ValueError, match="train first"):
        artifacts.open_run("latest", name="recsys", runs=tmp_path)
    assert checkpoints.is_dir()  # the child's configuration is the one of this process
    resumed = main(replace(config, resume=True))
    assert pipeline_bytes(resumed) == pipeline_bytes(trained.run.path)
    assert not checkpoints.exists()
