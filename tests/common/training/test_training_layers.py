"""Rates by depth: each parameter once, head fastest, embeddings slowest, no decay of vectors."""

import pytest
from torch import nn

from common.training.layers import layer_groups, layer_of


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embeddings = nn.Embedding(5, 4)
        self.layer = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))
        self.norm = nn.LayerNorm(4)


def test_layers_learn_at_falling_rates() -> None:
    encoder, head = Encoder(), nn.Linear(4, 2)
    groups = layer_groups(
        encoder, head.parameters(),
        learning_rate=0.1, layer_decay=0.5, head_factor=10.0, weight_decay=0.01,
    )  # fmt: skip
    rates = {id(each): group["lr"] for group in groups for each in group["params"]}
    assert len(rates) == sum(len(group["params"]) for group in groups)
    assert rates.keys() == {id(each) for each in [*encoder.parameters(), *head.parameters()]}
    found = [rates[id(layer.weight)] for layer in encoder.layer]
    assert found == pytest.approx([0.025, 0.05, 0.1])
    assert rates[id(encoder.embeddings.weight)] == pytest.approx(0.0125)
    assert rates[id(encoder.norm.weight)] == 0.1 and rates[id(head.weight)] == pytest.approx(1.0)
    decays = {id(each): group["weight_decay"] for group in groups for each in group["params"]}
    assert decays[id(encoder.layer[0].weight)] == 0.01 and decays[id(encoder.layer[0].bias)] == 0


@pytest.mark.parametrize(
    ("name", "layer"),
    [("encoder.layer.3.output.dense.weight", 3), ("transformer.layer.11.ffn.lin1.bias", 11),
     ("h.2.attn.weight", 2), ("embeddings.word_embeddings.weight", None), ("player.1.x", None)],
)  # fmt: skip
def test_the_layer_of_a_parameter(name: str, layer: int | None) -> None:
    assert layer_of(name) == layer
