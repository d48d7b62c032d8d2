"""How long and how fast an encoder is fine-tuned, on sets of known size."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel

from common.training.finetuning import (
    Length,
    falling,
    plain_attention,
    rows_within,
    usual_rate,
)
from common.training.layers import layer_groups, layer_of

LENGTH = Length(epochs=6, steps=200, most_epochs=30)


@pytest.mark.parametrize(
    ("budget", "tokens", "batches", "epochs"),
    [
        (10**6, 10_000, 100, 6),
        (10**6, 10_000, 10, 20),  # 200 steps
        (10**6, 10_000, 1, 30),
        (10**6, 300_000, 100, 3),
        (10**6, 2_000_000, 100, 1),  # whoever calls has drawn what fits
    ],
)
def test_epochs_follow_from_budget_and_steps(
    budget: int, tokens: int, batches: int, epochs: int
) -> None:
    assert LENGTH.within(budget, tokens=tokens, batches=batches) == epochs


def test_rows_are_drawn_where_not_all_fit() -> None:
    lengths = np.full(1000, 10)
    assert rows_within(10_000, lengths, seed=0).tolist() == list(range(1000))
    drawn = rows_within(2_500, lengths, seed=0)
    assert len(drawn) == len(np.unique(drawn)) == 250 and (np.diff(drawn) > 0).all()
    assert drawn.tolist() != rows_within(2_500, lengths, seed=1).tolist()
    assert len(rows_within(5, lengths, seed=0)) == 1


def test_narrow_encoders_learn_faster() -> None:
    small, large = (SimpleNamespace(config=BertConfig(hidden_size=size)) for size in (384, 768))
    assert usual_rate(small, 6e-4) == 6e-4
    assert usual_rate(large, 6e-4) == 5e-5


def test_the_rate_falls_to_nothing() -> None:
    plan = falling(2, 1e-3, 0.1, "fp32")
    assert (plan.schedule, plan.warmup, plan.gradient_clip) == ("linear", 0.1, 1.0)


@pytest.fixture
def encoder() -> BertModel:
    sizes = {"num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 16}
    return BertModel(BertConfig(vocab_size=30, hidden_size=8, **sizes), add_pooling_layer=False)


def test_layers_below_the_top_learn_more_slowly(encoder: BertModel) -> None:
    head = torch.nn.Linear(8, 2)
    groups = layer_groups(
        encoder, head.parameters(), learning_rate=1.0, layer_decay=0.5, head_factor=4.0,
        weight_decay=0.1,
    )  # fmt: skip
    rates = {id(each): group["lr"] for group in groups for each in group["params"]}
    wanted = {None: 0.125, 0: 0.25, 1: 0.5, 2: 1.0}
    for name, parameter in encoder.named_parameters():
        assert rates[id(parameter)] == wanted[layer_of(name)], name
    assert all(rates[id(each)] == 4.0 for each in head.parameters())
    for group in groups[:-1]:
        matrices = {parameter.ndim >= 2 for parameter in group["params"]}
        assert matrices == {group["weight_decay"] > 0}


def test_attention_is_plain_only_while_training(encoder: BertModel) -> None:
    ids = torch.arange(12).reshape(2, 6)
    before = encoder.config._attn_implementation
    fused = encoder.eval()(input_ids=ids).last_hidden_state
    with plain_attention(encoder, device="cpu"):
        assert encoder.config._attn_implementation == "eager" != before
        plain = encoder(input_ids=ids).last_hidden_state
    assert encoder.config._attn_implementation == before
    torch.testing.assert_close(plain, fused, atol=1e-5, rtol=1e-5)
    with pytest.raises(KeyError), plain_attention(encoder, device="cpu"):
        raise KeyError
    assert encoder.config._attn_implementation == before
