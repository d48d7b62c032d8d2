"""Resume: exact after an interruption, a kill, between processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import torch
from planted_training import accuracy, loss, network, planted, same, trained
from torch import nn

from common.training import Optimisation, TensorLoader, fit


@pytest.mark.parametrize("stop_at", [3, 8, 21])
def test_resume_after_an_interruption_is_exact(tmp_path: Path, stop_at: int) -> None:
    knobs = Optimisation(
        epochs=4, learning_rate=0.01, schedule="one-cycle", ema=0.9, gradient_clip=1.0, patience=2
    )
    steps, epochs = iter(range(stop_at)), []

    def worse(model: nn.Module) -> float:
        return -abs(len(epochs) - 1.0) + accuracy(model) / 100  # the first epoch is the best

    def on_epoch(epoch: int) -> None:
        epochs[:] = [*range(epoch + 1)]
        torch.rand(epoch + 1)  # what it draws on resume must not shift what comes after it

    def interrupted(model: nn.Module, batch: tuple[torch.Tensor, ...]) -> torch.Tensor:
        if next(steps, None) is None:
            raise KeyboardInterrupt
        return loss(model, batch)

    options: dict = {"validate": worse, "on_epoch": on_epoch, "device": "cpu"}
    whole = network()
    expected = fit(whole, TensorLoader(*planted(), batch_size=50), loss, knobs, **options)
    assert expected.best_epoch == 0 and len(expected.valid) == 3, "patience of 2"
    options |= {"checkpoint": tmp_path, "checkpoint_every_s": 0}
    with pytest.raises(KeyboardInterrupt):
        fit(network(), TensorLoader(*planted(), batch_size=50), interrupted, knobs, **options)
    model = network(seed=9)
    history = fit(
        model, TensorLoader(*planted(), batch_size=50), loss, knobs, resume=True, **options
    )
    assert same(model, whole)
    assert history.resumed_from == stop_at
    assert history.train_loss == expected.train_loss
    assert history.valid == expected.valid


def test_a_finished_run_is_not_run_again(tmp_path: Path) -> None:
    knobs = Optimisation(epochs=2, learning_rate=0.01)
    model = network()
    fit(model, TensorLoader(*planted(), batch_size=50), loss, knobs, checkpoint=tmp_path)
    again = network(seed=5)

    def never(model: nn.Module, batch: object) -> torch.Tensor:
        raise AssertionError("trained again")

    fit(again, TensorLoader(*planted(), batch_size=50), never, knobs,
        resume=True, checkpoint=tmp_path)  # fmt: skip
    assert same(again, model)


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    trained(checkpoint=tmp_path)
    with pytest.raises(ValueError, match=r"another run.*learning_rate \(0.01, now 0.5\)"):
        trained(checkpoint=tmp_path, resume=True, learning_rate=0.5)
    with pytest.raises(ValueError, match=r"another run.*optimizer \(adamw, now sgd\)"):
        trained(checkpoint=tmp_path, resume=True, optimizer="sgd")


KILLED = """
    import sys, time
    from pathlib import Path
    sys.path.insert(0, sys.argv[2])
    from planted_training import Optimisation, TensorLoader, accuracy, fit, loss, network, planted

    def slow(model, batch):
        time.sleep(0.02)
        return loss(model, batch)

    fit(network(), TensorLoader(*planted(), batch_size=50), slow,
        Optimisation(epochs=50, learning_rate=0.01, ema=0.9, schedule="cosine"),
        validate=accuracy, device="cpu", checkpoint=Path(sys.argv[1]), checkpoint_every_s=0)
"""


def test_resume_after_sigkill_gives_identical_weights(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    code = textwrap.dedent(KILLED)
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path), str(Path(__file__).parents[2])],
        env={**os.environ, "PYTHONPATH": str(root)},
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("state-2?.safetensors")) and time.monotonic() < deadline:
        assert process.poll() is None, "it ended before it was killed"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    knobs = Optimisation(epochs=50, learning_rate=0.01, ema=0.9, schedule="cosine")
    options: dict = {"validate": accuracy, "device": "cpu"}
    whole, model = network(), network(seed=8)
    fit(whole, TensorLoader(*planted(), batch_size=50), loss, knobs, **options)
    history = fit(model, TensorLoader(*planted(), batch_size=50), loss, knobs, resume=True,
                  checkpoint=tmp_path, **options)  # fmt: skip
    assert history.resumed_from is not None and 0 < history.resumed_from < 400
    assert same(model, whole)


TWO_PROCESSES = """
    import sys
    sys.path.insert(0, sys.argv[1])
    from planted_training import Optimisation, TensorLoader, accuracy, fit, loss, planted, torch
    from torch import nn

    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
    fit(model, TensorLoader(*planted(), batch_size=25), loss,
        Optimisation(epochs=6, learning_rate=0.02, ema=0.9), validate=accuracy, device="cpu")
    weights = torch.cat([value.flatten() for value in model.state_dict().values()])
    sys.stdout.write(f"{weights.double().sum().item():.17g} {accuracy(model)}\\n")
"""


@pytest.mark.slow
def test_two_processes_share_the_batches_and_end_with_one_model(tmp_path: Path) -> None:
    script = tmp_path / "two.py"
    script.write_text(textwrap.dedent(TWO_PROCESSES))
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    environment = {
        **os.environ, "PYTHONPATH": str(Path(__file__).parents[3]),
        "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    done = subprocess.run(
        [*launch, str(script), str(Path(__file__).parents[2])],
        env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    first, second = [line for line in done.stdout.splitlines() if line]
    assert first == second
    assert float(first.split()[1]) > 0.85
