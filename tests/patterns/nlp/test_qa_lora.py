"""LoRA: it changes nothing at first, learns alone, merges to the same, and is undone exactly."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from patterns.nlp.qa.stages.lora import FILE, Lora

WIDTH, RANK = 6, 2


class Network(nn.Module):
    """Two linear layers in a block, and an output layer that must be left alone."""

    def __init__(self) -> None:
        super().__init__()
        self.block = nn.ModuleDict({"up": nn.Linear(WIDTH, 10), "down": nn.Linear(10, WIDTH)})
        self.head = nn.Linear(WIDTH, 4, bias=False)

    def get_output_embeddings(self) -> nn.Module:
        return self.head

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.block["down"](torch.relu(self.block["up"](x))))


@pytest.fixture()
def network() -> Network:
    torch.manual_seed(0)
    return Network().eval()


@pytest.fixture()
def x() -> torch.Tensor:
    return torch.randn((5, WIDTH), generator=torch.Generator().manual_seed(1))


def disturbed(lora: Lora) -> Lora:
    """Set B to something, as training would."""
    for adapter in lora.adapters.values():
        nn.init.normal_(adapter.up.weight)
    return lora


def test_at_first_the_model_answers_as_before(network: Network, x: torch.Tensor) -> None:
    before = network(x)
    Lora(network, rank=RANK)
    assert torch.equal(network(x), before)


def test_an_adapter_adds_its_product(network: Network, x: torch.Tensor) -> None:
    plain = network.block["up"](x)
    lora = disturbed(Lora(network, rank=RANK, alpha=8.0, targets=("up",)))
    adapter = lora.adapter("block.up")
    expected = plain + 4.0 * x @ adapter.down.weight.T @ adapter.up.weight.T
    assert torch.allclose(network.block["up"](x), expected, atol=1e-5)
    assert not torch.allclose(expected, plain, atol=0.1)


def test_only_adapters_learn(network: Network, x: torch.Tensor) -> None:
    lora = disturbed(Lora(network, rank=RANK))
    network(x).sum().backward()
    assert all(parameter.grad is None for parameter in network.parameters())
    assert all(float(p.grad.abs().sum()) > 0 for p in lora.parameters())  # type: ignore[union-attr]
    assert sorted(lora.adapters) == ["block/down", "block/up"]  # not the output layer
    assert lora.size == 2 * RANK * (WIDTH + 10)
    parts = [f"{layer}.{part}.weight" for layer in ("up", "down") for part in ("up", "down")]
    assert set(lora.state_dict()) == {f"adapters.block/{each}" for each in parts}


def test_merged_it_answers_as_the_adapters_did(network: Network, x: torch.Tensor) -> None:
    original = {name: value.clone() for name, value in network.state_dict().items()}
    plain, lora = network(x), disturbed(Lora(network, rank=RANK))
    adapted = network(x)
    lora.merge()
    assert torch.allclose(network(x), adapted, atol=1e-5)
    assert not torch.allclose(adapted, plain, atol=0.1)
    lora.unmerge()
    assert torch.equal(network(x), adapted)  # attached again
    lora.detach()
    assert torch.equal(network(x), plain)
    assert all(torch.equal(network.state_dict()[name], original[name]) for name in original)


def test_adapters_alone_are_saved(network: Network, x: torch.Tensor, tmp_path: Path) -> None:
    torch.manual_seed(0)
    base = Network().eval()
    lora = disturbed(Lora(network, rank=RANK))
    lora.save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
    Lora(base, rank=RANK).restore(tmp_path)
    assert torch.equal(base(x), network(x))


def test_dropout_is_for_training_alone(network: Network, x: torch.Tensor) -> None:
    lora = disturbed(Lora(network, rank=RANK, dropout=0.5))
    assert not torch.equal(network(x), network(x))
    lora.eval()
    assert torch.equal(network(x), network(x))


def test_targets_that_do_not_exist_are_named(network: Network) -> None:
    with pytest.raises(ValueError, match="targets: q_proj name no linear layer .* has down, up"):
        Lora(network, targets=("q_proj",))
    with pytest.raises(ValueError, match="rank: 0 is out of range"):
        Lora(network, rank=0)
