"""The training loop: what it learns, what it keeps, what it refuses, and that it can be killed."""

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
from torch import nn

from common.training import TensorLoader, TrainingDiverged, fit


def planted(rows: int = 400, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(rows, 8, generator=generator)
    return features, (features[:, 0] + features[:, 1] > 0).long()


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 2)
    )


def loss(model: nn.Module, batch: tuple[torch.Tensor, ...]) -> torch.Tensor:
    return nn.functional.cross_entropy(model(batch[0]), batch[1])


def accuracy(model: nn.Module) -> float:
    features, labels = planted(seed=1)
    return float((model(features).argmax(1) == labels).float().mean())


def trained(**options: object) -> nn.Module:
    model = network()
    settings: dict = {"epochs": 4, "learning_rate": 0.01, "device": "cpu", **options}
    fit(model, TensorLoader(*planted(), batch_size=50), loss, **settings)
    return model


def same(first: nn.Module, second: nn.Module) -> bool:
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_learns_the_planted_rule_and_reports_it() -> None:
    model = network()
    history = fit(
        model, TensorLoader(*planted(), batch_size=50), loss,
        epochs=10, learning_rate=0.02, schedule="cosine", warmup=0.1, validate=accuracy,
    )  # fmt: skip
    assert accuracy(model) > 0.93
    assert len(history.train_loss) == len(history.valid) == 10
    assert history.train_loss[-1] < history.train_loss[0]
    assert not model.training


def test_same_seed_same_weights_whatever_the_global_generator() -> None:
    first = trained(seed=3)
    torch.rand(7)
    assert same(first, trained(seed=3))
    assert not same(first, trained(seed=4))


def test_global_generator_is_left_as_it_was() -> None:
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    features, labels = planted()
    fit(nn.Linear(8, 2), TensorLoader(features, labels, batch_size=50), loss,
        epochs=1, learning_rate=0.1)  # fmt: skip
    torch.manual_seed(11)
    assert torch.equal(torch.rand(3), expected)


def test_early_stopping_restores_the_best_weights() -> None:
    scores = iter([0.1, 0.9, 0.5, 0.4, 0.3, 0.2])
    seen: list[dict] = []

    def validate(model: nn.Module) -> float:
        seen.append({name: value.clone() for name, value in model.state_dict().items()})
        return next(scores)

    model = network()
    history = fit(model, TensorLoader(*planted(), batch_size=50), loss,
                  epochs=6, learning_rate=0.01, validate=validate, patience=2)  # fmt: skip
    assert history.best_epoch == 1
    assert history.valid == [0.1, 0.9, 0.5, 0.4]
    assert all(torch.equal(value, seen[1][name]) for name, value in model.state_dict().items())


def test_moving_average_is_what_is_delivered() -> None:
    features, labels = planted()
    model, weights = nn.Linear(8, 2), []

    def remember(model: nn.Module, batch: tuple[torch.Tensor, ...]) -> torch.Tensor:
        weights.append(model.weight.detach().clone())  # before each step
        return loss(model, batch)

    fit(model, TensorLoader(features, labels, batch_size=100), remember,
        epochs=2, learning_rate=0.1, ema=0.5)  # fmt: skip
    shadow = weights[0]
    for step, after in enumerate(weights[1:]):
        decay = min(0.5, (1 + step) / (10 + step))
        shadow = decay * shadow + (1 - decay) * after
    # The last step's weights were never seen by the loss; the average lies between.
    assert not torch.allclose(model.weight, weights[-1])
    assert (model.weight - shadow).abs().max() < 0.2


def test_bf16_on_the_cpu_learns_and_keeps_fp32_weights() -> None:
    model = trained(precision="bf16", epochs=10, learning_rate=0.02)
    assert all(p.dtype == torch.float32 for p in model.parameters())
    assert model(planted()[0]).dtype == torch.float32
    assert accuracy(model) > 0.9


def test_precision_may_change_from_run_to_run() -> None:
    assert not same(trained(precision="bf16"), trained(precision="fp32"))


def test_nan_is_a_clear_error() -> None:
    features, labels = planted()
    features[120, 3] = float("nan")
    loader = TensorLoader(features, labels, batch_size=50, shuffle=False)
    with pytest.raises(TrainingDiverged, match=r"epoch 1, batch 3 .*learning rate 0.01.*NaN"):
        fit(network(), loader, loss, epochs=1, learning_rate=0.01, device="cpu")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"epochs": 0}, "epochs"),
        ({"learning_rate": -1.0}, "learning_rate"),
        ({"schedule": "magic"}, "schedule"),
        ({"warmup": 1.5}, "warmup"),
        ({"patience": 0}, "patience"),
        ({"ema": 2.0}, "ema"),
        ({"optimizer": "adagrad"}, "optimizer"),
        ({"precision": "fp8"}, "precision"),
        ({"precision": "fp16"}, "precision"),
        ({"device": "tpu"}, "device"),
    ],
)
def test_wrong_arguments_are_named(options: dict, named: str) -> None:
    with pytest.raises(ValueError, match=rf"^{named}: "):
        trained(**options)


def test_parameter_groups_and_frozen_weights() -> None:
    model = network()
    before = {name: value.clone() for name, value in model.named_parameters()}
    groups = [{"params": model[4].parameters(), "lr": 0.05}]
    fit(model, TensorLoader(*planted(), batch_size=50), loss,
        epochs=1, learning_rate=0.01, parameter_groups=groups)  # fmt: skip
    moved = {n for n, value in model.named_parameters() if not torch.equal(value, before[n])}
    assert moved == {"4.weight", "4.bias"}


def test_any_sized_iterable_is_a_loader() -> None:
    features, labels = planted()
    model = network()
    batches = list(zip(features.split(50), labels.split(50), strict=True))
    assert len(fit(model, batches, loss, epochs=2, learning_rate=0.01).train_loss) == 2


@pytest.mark.parametrize("stop_at", [3, 8, 21])
def test_resume_after_an_interruption_is_exact(tmp_path: Path, stop_at: int) -> None:
    options: dict = {
        "epochs": 4, "learning_rate": 0.01, "schedule": "one-cycle", "ema": 0.9,
        "gradient_clip": 1.0, "validate": accuracy, "device": "cpu",
    }  # fmt: skip
    whole = network()
    expected = fit(whole, TensorLoader(*planted(), batch_size=50), loss, **options)
    steps = iter(range(stop_at))

    def interrupted(model: nn.Module, batch: tuple[torch.Tensor, ...]) -> torch.Tensor:
        if next(steps, None) is None:
            raise KeyboardInterrupt
        return loss(model, batch)

    options |= {"checkpoint": tmp_path, "checkpoint_every_s": 0}
    with pytest.raises(KeyboardInterrupt):
        fit(network(), TensorLoader(*planted(), batch_size=50), interrupted, **options)
    model = network(seed=9)
    history = fit(model, TensorLoader(*planted(), batch_size=50), loss, resume=True, **options)
    assert same(model, whole)
    assert history.resumed_from == stop_at
    assert history.train_loss == expected.train_loss
    assert history.valid == expected.valid


def test_a_finished_run_is_not_run_again(tmp_path: Path) -> None:
    options: dict = {"epochs": 2, "learning_rate": 0.01, "checkpoint": tmp_path}
    model = network()
    fit(model, TensorLoader(*planted(), batch_size=50), loss, **options)
    again = network(seed=5)

    def never(model: nn.Module, batch: object) -> torch.Tensor:
        raise AssertionError("trained again")

    fit(again, TensorLoader(*planted(), batch_size=50), never, resume=True, **options)
    assert same(again, model)


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    trained(checkpoint=tmp_path)
    with pytest.raises(ValueError, match=r"another run.*learning_rate \(0.01, now 0.5\)"):
        trained(checkpoint=tmp_path, resume=True, learning_rate=0.5)


KILLED = """
    import sys, time
    from pathlib import Path
    sys.path.insert(0, sys.argv[2])
    from test_training_loop import fit, loss, network, planted, TensorLoader, accuracy

    def slow(model, batch):
        time.sleep(0.02)
        return loss(model, batch)

    fit(network(), TensorLoader(*planted(), batch_size=50), slow, epochs=50, learning_rate=0.01,
        ema=0.9, validate=accuracy, schedule="cosine", device="cpu",
        checkpoint=Path(sys.argv[1]), checkpoint_every_s=0)
"""


def test_resume_after_sigkill_gives_identical_weights(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    code = textwrap.dedent(KILLED)
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path), str(Path(__file__).parent)],
        env={**os.environ, "PYTHONPATH": str(root)},
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("state-2?.safetensors")) and time.monotonic() < deadline:
        assert process.poll() is None, "it ended before it was killed"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    options: dict = {
        "epochs": 50, "learning_rate": 0.01, "ema": 0.9, "validate": accuracy,
        "schedule": "cosine", "device": "cpu",
    }  # fmt: skip
    whole, model = network(), network(seed=8)
    fit(whole, TensorLoader(*planted(), batch_size=50), loss, **options)
    history = fit(model, TensorLoader(*planted(), batch_size=50), loss, resume=True,
                  checkpoint=tmp_path, **options)  # fmt: skip
    assert history.resumed_from is not None and 0 < history.resumed_from < 400
    assert same(model, whole)


TWO_PROCESSES = """
    import sys
    sys.path.insert(0, sys.argv[1])
    from test_training_loop import TensorLoader, accuracy, fit, loss, planted, torch
    from torch import nn

    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
    fit(model, TensorLoader(*planted(), batch_size=25), loss, epochs=6, learning_rate=0.02,
        ema=0.9, validate=accuracy, device="cpu")
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
        [*launch, str(script), str(Path(__file__).parent)],
        env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    first, second = [line for line in done.stdout.splitlines() if line]
    assert first == second
    assert float(first.split()[1]) > 0.85
