"""Attention against its formula, and a cache that changes nothing but the work."""

import math

import pytest
import torch

from common.attention import Attention, Cache, causal_mask


@pytest.fixture
def attention() -> Attention:
    torch.manual_seed(0)
    return Attention(16, 4).eval()


def by_formula(attention: Attention, x: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
    heads = []
    for head in range(4):
        part = slice(4 * head, 4 * head + 4)
        q, k, v = (
            each(x)[:, :, part] for each in (attention.query, attention.key, attention.value)
        )
        scores = (q @ k.transpose(1, 2) / math.sqrt(4)).masked_fill(~seen, float("-inf"))
        heads.append(scores.softmax(dim=-1) @ v)
    return attention.output(torch.cat(heads, dim=2))


def test_it_is_the_formula(attention: Attention) -> None:
    x = torch.randn(2, 5, 16)
    everything = torch.ones(5, 5, dtype=torch.bool)
    assert torch.allclose(attention(x), by_formula(attention, x, everything), atol=1e-5)
    past = everything.tril()
    assert torch.allclose(attention(x, causal=True), by_formula(attention, x, past), atol=1e-5)
    assert causal_mask(2, 4).tolist() == [[True, True, True, False], [True] * 4]


def test_a_cache_gives_what_the_whole_sequence_gives(attention: Attention) -> None:
    x, memory = torch.randn(3, 6, 16), torch.randn(3, 4, 16)
    own, read = Cache(), Cache()
    steps = [attention(x[:, t : t + 1], causal=True, cache=own) for t in range(6)]
    assert own.length == 6
    assert torch.allclose(torch.cat(steps, dim=1), attention(x, causal=True), atol=1e-5)
    crossed = [attention(x[:, t : t + 1], memory, cache=read) for t in range(6)]
    assert read.length == 4
    assert torch.allclose(torch.cat(crossed, dim=1), attention(x, memory), atol=1e-5)
    own.select(torch.tensor([2, 0]))
    assert own.keys is not None and own.keys.shape == (2, 4, 6, 4)


def test_the_weights_of_a_picture_are_those_it_used(attention: Attention) -> None:
    x, memory = torch.randn(1, 3, 16), torch.randn(1, 4, 16)
    weights = attention.weights(x, memory)
    assert weights.shape == (1, 4, 3, 4) and torch.allclose(weights.sum(-1), torch.ones(1, 4, 3))
    values = attention.value(memory).unflatten(2, (4, 4)).transpose(1, 2)
    mixed = (weights @ values).transpose(1, 2).flatten(2)
    assert torch.allclose(attention.output(mixed), attention(x, memory), atol=1e-5)


def test_bf16_on_a_cpu_is_near_to_fp32_with_its_gradients(attention: Attention) -> None:
    x = torch.randn(2, 5, 16)
    found = []
    for enabled in (False, True):
        attention.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            made = attention(x, causal=True)
        made.float().square().sum().backward()
        assert attention.query.weight.grad is not None
        found.append((made.float(), attention.query.weight.grad.clone()))
    for exact, rough in zip(*found, strict=True):
        assert torch.allclose(exact, rough, atol=0.05 * float(exact.detach().abs().max()))


def test_heads_that_do_not_divide_the_width_are_refused() -> None:
    with pytest.raises(ValueError, match="^heads: 3 does not divide the width 16"):
        Attention(16, 3)
