"""Planted data, a small network and its training, for the tests of the loop."""

from dataclasses import fields

import torch
from torch import nn

from common.training import Optimisation, TensorLoader, fit


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
