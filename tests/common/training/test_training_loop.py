"""The training loop: what it learns, what it keeps, what it refuses, and that it can be killed."""

from __future__ import annotations

import pytest
import torch
from planted_training import accuracy, loss, network, planted, same, state_of, trained
from torch import nn

from common.training import Optimisation, TensorLoader, TrainingDiverged, fit
from common.training.schedule import rate_factor


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
