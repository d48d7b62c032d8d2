"""The training loop: what it learns, what it keeps, what it refuses, and that it can be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import fields
from pathlib import Path

import pytest
import torch
from torch import nn

from common.training import Optimisation, TensorLoader, TrainingDiverged, fit
from common.training.schedule import rate_factor


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
    knobs = {"epochs": 4, "learning_rate": 0.01}
    knobs |= {
        each.name: options.pop(each.name) for each in fields(Optimisation) if each.name in options
    }
    settings: dict = {"device": "cpu", **options}
    fit(model, TensorLoader(*planted(), batch_size=50), loss, Optimisation(**knobs), **settings)
    return model


def state_of(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def same(first: nn.Module, second: nn.Module) -> bool:
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_learns_the_planted_rule_and_reports_it() -> None:
    model = network()
    history = fit(
        model,
        TensorLoader(*planted(), batch_size=50),
        loss,
        Optimisation(epochs=10, learning_rate=0.02, schedule="cosine", warmup=0.1),
        validate=accuracy,
    )
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
    model = nn.Sequential(nn.Dropout(0.5), nn.utils.skip_init(nn.Linear, 8, 2))
    nn.init.zeros_(model[1].weight), nn.init.zeros_(model[1].bias)
    fit(model, TensorLoader(*planted(), batch_size=50), loss,
        Optimisation(epochs=1, learning_rate=0.1))  # fmt: skip
    assert torch.equal(torch.rand(3), expected)


def test_early_stopping_restores_the_best_weights() -> None:
    scores = iter([0.1, 0.9, 0.5, 0.4, 0.3, 0.2])
    seen: list[dict] = []

    def in_training(model: nn.Module, batch: tuple[torch.Tensor, ...]) -> torch.Tensor:
        assert model.training
        return loss(model, batch)

    def validate(model: nn.Module) -> float:
        assert not model.training and not torch.is_grad_enabled()
        seen.append(state_of(model))
        return next(scores)

    model = network()
    history = fit(model, TensorLoader(*planted(), batch_size=50), in_training,
                  Optimisation(epochs=6, learning_rate=0.01, patience=2),
                  validate=validate)  # fmt: skip
    assert history.best_epoch == 1
    assert history.valid == [0.1, 0.9, 0.5, 0.4]
    assert all(torch.equal(value, seen[1][name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("validated", [True, False])
def test_moving_average_is_what_is_validated_and_delivered(validated: bool) -> None:
    plain, model, states, seen = network(), network(), [], []

    def remember(model: nn.Module, batch: tuple[torch.Tensor, ...]) -> torch.Tensor:
        states.append(state_of(model))  # as the step before left it
        return loss(model, batch)

    def validate(model: nn.Module) -> float:
        seen.append(state_of(model))
        return len(seen)

    knobs = {"epochs": 2, "learning_rate": 0.1}
    loader = TensorLoader(*planted(), batch_size=100)
    fit(plain, loader, loss, Optimisation(**knobs))
    fit(model, loader, remember, Optimisation(**knobs, ema=0.5),
        validate=validate if validated else None)  # fmt: skip
    states.append(state_of(plain))  # the average leaves the training itself as it is
    shadow, shadows = states[0], []
    for step, after in enumerate(states[1:]):
        decay = min(0.5, (1 + step) / (10 + step))
        shadow = {
            name: decay * shadow[name] + (1 - decay) * value if value.is_floating_point() else value
            for name, value in after.items()
        }
        shadows.append(shadow)
    torch.testing.assert_close(state_of(model), shadows[7])
    assert not same(model, plain)
    if validated:
        torch.testing.assert_close(seen, [shadows[3], shadows[7]])


def test_schedule_and_rates_of_groups_are_applied_at_every_step() -> None:
    model, seen = nn.Linear(8, 2), []

    def slope(model: nn.Module, batch: object) -> torch.Tensor:
        """Return a loss of constant gradient: AdamW then moves each weight by the rate."""
        seen.append(state_of(model))
        return sum((value.sum() for value in model.parameters()), torch.zeros(()))

    knobs = Optimisation(epochs=2, learning_rate=0.1, schedule="cosine", warmup=0.25)
    groups = [{"params": [model.weight]}, {"params": [model.bias], "lr": 0.5}]
    fit(model, TensorLoader(*planted(), batch_size=50), slope, knobs, parameter_groups=groups)
    for step, (before, after) in enumerate(zip(seen, [*seen[1:], state_of(model)], strict=True)):
        factor = rate_factor("cosine", step, 16, 0.25)
        moved = {name: before[name] - after[name] for name in before}
        assert torch.allclose(moved["weight"], torch.tensor(0.1 * factor), atol=1e-5)
        assert torch.allclose(moved["bias"], torch.tensor(0.5 * factor), atol=1e-5)


def test_gradient_is_clipped_to_the_norm() -> None:
    def moved(clip: float | None) -> float:
        torch.manual_seed(0)
        model = nn.Linear(8, 2)
        before = state_of(model)
        fit(model, TensorLoader(*planted(), batch_size=400),
            lambda model, batch: 1000 * loss(model, batch),
            Optimisation(epochs=1, learning_rate=0.1, optimizer="sgd", gradient_clip=clip),
        )  # fmt: skip
        steps = [value - before[name] for name, value in model.state_dict().items()]
        return float(torch.cat([each.flatten() for each in steps]).norm())

    first_step = 0.1 * (1 + 0.9)  # the rate times (gradient + Nesterov's momentum of it)
    assert moved(2.0) == pytest.approx(2.0 * first_step, rel=1e-4)
    assert moved(None) > 10 * moved(2.0)


def test_matrices_decay_and_vectors_do_not() -> None:
    model = network()
    before = state_of(model)
    fit(model, TensorLoader(*planted(), batch_size=400),
        lambda model, batch: 0 * loss(model, batch),
        Optimisation(epochs=1, learning_rate=0.1, weight_decay=0.5))  # fmt: skip
    for name, value in model.named_parameters():
        left = 1 - 0.1 * 0.5 if value.ndim >= 2 else 1.0
        assert torch.allclose(value, left * before[name]), name


def test_every_epoch_has_its_own_order_of_the_rows() -> None:
    loader, seen = TensorLoader(*planted(), batch_size=50, seed=5), []

    def remember(model: nn.Module, batch: tuple[torch.Tensor, ...]) -> torch.Tensor:
        seen.append(batch[0])
        return loss(model, batch)

    fit(network(), loader, remember, Optimisation(epochs=2, learning_rate=0.01))
    for epoch in range(2):
        loader.set_epoch(epoch)
        expected = torch.cat([batch[0] for batch in loader])
        assert torch.equal(torch.cat(seen[8 * epoch : 8 * epoch + 8]), expected)


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
        fit(network(), loader, loss, Optimisation(epochs=1, learning_rate=0.01), device="cpu")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"epochs": 0}, "epochs"),
        ({"learning_rate": -1.0}, "learning_rate"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"weight_decay": -0.1}, "weight_decay"),
        ({"gradient_clip": 0.0}, "gradient_clip"),
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
        Optimisation(epochs=1, learning_rate=0.01), parameter_groups=groups)  # fmt: skip
    moved = {n for n, value in model.named_parameters() if not torch.equal(value, before[n])}
    assert moved == {"4.weight", "4.bias"}


def test_any_sized_iterable_is_a_loader() -> None:
    features, labels = planted()
    model = network()
    batches = list(zip(features.split(50), labels.split(50), strict=True))
    history = fit(model, batches, loss, Optimisation(epochs=2, learning_rate=0.01))
    assert len(history.train_loss) == 2
    with pytest.raises(ValueError, match="^loader: .*no batches"):
        fit(model, [], loss, Optimisation(epochs=2, learning_rate=0.01))


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
    from test_training_loop import Optimisation, TensorLoader, accuracy, fit, loss, network, planted

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
    from test_training_loop import Optimisation, TensorLoader, accuracy, fit, loss, planted, torch
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
        [*launch, str(script), str(Path(__file__).parent)],
        env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    first, second = [line for line in done.stdout.splitlines() if line]
    assert first == second
    assert float(first.split()[1]) > 0.85
