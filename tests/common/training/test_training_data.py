"""Loaders: every row once, an order that can be replayed, batches of like length."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from common.training import LengthLoader, TensorLoader
from common.training.data import rest_of_epoch
from common.training.schedule import rate_factor


def rows_of(loader: TensorLoader) -> list[int]:
    return torch.cat([batch[0] for batch in loader]).tolist()


def test_every_row_once_and_a_new_order_each_epoch() -> None:
    loader = TensorLoader(torch.arange(23), batch_size=5, seed=1)
    first = rows_of(loader)
    assert sorted(first) == list(range(23)) and len(loader) == 5
    loader.set_epoch(1)
    assert rows_of(loader) != first
    loader.set_epoch(0)
    assert rows_of(loader) == first


def test_starting_in_the_middle_gives_the_same_rest() -> None:
    def noise(batch: tuple, generator: torch.Generator) -> tuple:
        return (batch[0] + torch.rand(len(batch[0]), generator=generator),)

    loader = TensorLoader(torch.arange(40.0), batch_size=8, transform=noise)
    loader.set_epoch(3)
    whole = list(loader)
    rest = list(loader.batches(2))
    assert all(torch.equal(a[0], b[0]) for a, b in zip(whole[2:], rest, strict=True))
    assert not torch.equal(whole[0][0] % 1, whole[1][0] % 1)


@pytest.mark.parametrize("plain", [True, False])
def test_processes_share_what_is_left_of_an_epoch(plain: bool) -> None:
    loader = TensorLoader(torch.arange(7), batch_size=1, shuffle=False)
    whole = list(loader)
    shares = [rest_of_epoch(whole if plain else loader, 1, 3, 2, rank) for rank in (0, 1)]
    assert [[int(batch[0]) for batch in share] for share in shares] == [[2, 4], [3, 5]]


def test_drop_last_and_plain_order() -> None:
    loader = TensorLoader(np.arange(10), batch_size=4, shuffle=False, drop_last=True)
    assert rows_of(loader) == list(range(8)) and len(loader) == 2


def test_unequal_tensors_are_refused() -> None:
    with pytest.raises(ValueError, match="common length"):
        TensorLoader(torch.zeros(3), torch.zeros(4), batch_size=2)
    with pytest.raises(ValueError, match="batch_size"):
        TensorLoader(torch.zeros(3), batch_size=4, drop_last=True)


def test_length_loader_pads_little_and_loses_nothing() -> None:
    rng = np.random.default_rng(0)
    sequences = [list(range(1, 1 + n)) for n in rng.integers(1, 60, size=300)]
    loader = LengthLoader(sequences, np.arange(300), batch_size=32, seed=2)
    seen, padded = [], 0
    for ids, mask, rows in loader:
        padded += ids.numel()
        for i, row in enumerate(rows.tolist()):
            assert ids[i][mask[i].bool()].tolist() == sequences[row]
        seen += rows.tolist()
    assert sorted(seen) == list(range(300))
    assert padded < 1.3 * sum(map(len, sequences))
    count = len(loader)
    loader.set_epoch(1)
    assert len(list(loader)) == count


def test_length_loader_respects_the_token_limit() -> None:
    sequences = [[1] * n for n in (3, 3, 10, 50, 50, 4)]
    loader = LengthLoader(sequences, batch_size=8, tokens=60, shuffle=False)
    assert max(ids.numel() for ids, _ in loader) <= 60
    assert sum(len(ids) for ids, _ in loader) == 6


def test_schedules_at_their_ends() -> None:
    assert rate_factor("constant", 5, 10) == 1
    assert rate_factor("linear", 0, 10) == 1
    assert rate_factor("linear", 9, 10) == pytest.approx(0.1)
    assert rate_factor("cosine", 5, 10) == pytest.approx(0.5)
    assert rate_factor("cosine", 0, 100, warmup=0.1) == pytest.approx(0.1)
    assert rate_factor("cosine", 10, 100, warmup=0.1) == pytest.approx(1.0)
    factors = [rate_factor("one-cycle", step, 100) for step in range(100)]
    assert factors[0] == pytest.approx(1 / 25) and max(factors) == pytest.approx(1.0)
    assert np.argmax(factors) == 30 and factors[-1] == pytest.approx(1e-4)


def test_inverse_root_falls_as_one_over_the_root_of_the_step() -> None:
    assert rate_factor("inverse-root", 4, 100, warmup=0.1) == pytest.approx(0.5)
    assert rate_factor("inverse-root", 9, 100, warmup=0.1) == pytest.approx(1.0)
    assert rate_factor("inverse-root", 39, 100, warmup=0.1) == pytest.approx(0.5)
    assert rate_factor("inverse-root", 3, 100) == pytest.approx(0.5)
