"""The next token and the text of many: by hand, by frequency, in batches and in pieces."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from patterns.nlp.qa.stages.decoding import generate, left_padded, pieces, write
from patterns.nlp.qa.stages.sampling import Sampler, keep_top_k, keep_top_p
from patterns.nlp.qa.stages.writing import unless_abstained

HALF, QUARTER, EIGHTH = (math.log(p) for p in (0.5, 0.25, 0.125))
ROW = torch.tensor([[EIGHTH, HALF, QUARTER, EIGHTH]])  # probabilities 1/8, 1/2, 1/4, 1/8


def kept(logits: torch.Tensor) -> list[list[int]]:
    return [row.isfinite().nonzero()[:, 0].tolist() for row in logits]


def test_top_k_keeps_the_k_most_likely_and_what_ties_with_them() -> None:
    assert kept(keep_top_k(ROW, 1)) == [[1]]
    assert kept(keep_top_k(ROW, 2)) == [[1, 2]]
    assert kept(keep_top_k(ROW, 3)) == [[0, 1, 2, 3]]  # two tie for the third place
    assert torch.equal(keep_top_k(ROW, 99), ROW)


@pytest.mark.parametrize(
    ("p", "tokens"),
    [(0.01, [1]), (0.5, [1]), (0.51, [1, 2]), (0.75, [1, 2]), (0.76, 3), (0.9, 4), (1.0, 4)],
)
def test_top_p_keeps_the_fewest_that_hold_p(p: float, tokens: list[int] | int) -> None:
    (found,) = kept(keep_top_p(ROW, p))
    assert (len(found) if isinstance(tokens, int) else found) == tokens
    assert {1} <= set(found)


def test_top_p_cuts_each_row_by_itself() -> None:
    rows = torch.cat((ROW, torch.zeros((1, 4)), torch.tensor([[9.0, 0, 0, 0]])))
    assert [len(found) for found in kept(keep_top_p(rows, 0.74))] == [2, 3, 1]


def test_greedy_takes_the_most_likely_and_of_equals_the_first() -> None:
    logits = torch.tensor([[0.0, 2.0, 1.0], [3.0, 3.0, 0.0]])
    assert Sampler()(logits).tolist() == [1, 0]


def drawn(sampler: Sampler, count: int = 20_000) -> np.ndarray:
    tokens = sampler(ROW.repeat(count, 1))
    return np.bincount(tokens.numpy(), minlength=4) / count


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"temperature": 1.0}, [1 / 8, 1 / 2, 1 / 4, 1 / 8]),
        ({"temperature": 0.5}, [1 / 22, 16 / 22, 4 / 22, 1 / 22]),  # probabilities squared
        ({"temperature": 1.0, "top_k": 2}, [0, 2 / 3, 1 / 3, 0]),
        ({"temperature": 1.0, "top_p": 0.6}, [0, 2 / 3, 1 / 3, 0]),
        ({"temperature": 100.0}, [1 / 4] * 4),
    ],
)
def test_tokens_are_drawn_as_often_as_they_are_likely(options: dict, expected: list) -> None:
    assert drawn(Sampler(**options)) == pytest.approx(np.array(expected), abs=0.015)


def test_the_seed_decides_what_is_drawn() -> None:
    rows = ROW.repeat(50, 1)
    first, again, other = (Sampler(temperature=1.0, seed=seed)(rows) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)


@pytest.mark.parametrize(
    "options", [{"temperature": -1}, {"temperature": math.inf}, {"top_k": -1}, {"top_p": 0.0}]
)
def test_a_value_out_of_range_is_named(options: dict) -> None:
    with pytest.raises(ValueError, match=rf"^{next(iter(options))}: .* out of range; give"):
        Sampler(**options)


class Counting:
    """Says the number after the last; 9 ends. It fails where a row of the cache is not its own."""

    device = torch.device("cpu")

    def writer(self) -> Counting:
        self.texts: list[list[int]] = []
        return self

    def read(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        new = [row[real == 1].tolist() for row, real in zip(ids, mask, strict=True)]
        self.texts = [a + b for a, b in zip(self.texts or [[]] * len(new), new, strict=True)]
        assert all(b == a + 1 for text in self.texts for a, b in zip(text, text[1:], strict=False))
        return torch.nn.functional.one_hot(torch.tensor([t[-1] + 1 for t in self.texts]), 20)

    def keep(self, rows: torch.Tensor) -> None:
        self.texts = [self.texts[row] for row in rows.tolist()]

    def logits_at(self, *_: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError


def test_texts_end_on_their_own_and_keep_their_rows() -> None:
    prompts = [[7], [1, 2], [8], [3, 4, 5, 6], [10]]
    found = generate(
        Counting(), prompts, stop=[9], max_new_tokens=5, choose=Sampler(), batch_size=3
    )
    assert found == [[8], [3, 4, 5, 6, 7], [], [7, 8], [11, 12, 13, 14, 15]]
    assert generate(Counting(), [], stop=[9], max_new_tokens=5, choose=Sampler()) == []


def test_tokens_come_one_by_one() -> None:
    stream = write(Counting(), [[5]], stop=[9], max_new_tokens=99, choose=Sampler())
    assert next(stream) == (0, 6) and list(stream) == [(0, 7), (0, 8)]


def test_padding_stands_on_the_left() -> None:
    ids, mask = left_padded([[5, 6, 7], [8]])
    assert ids.tolist() == [[5, 6, 7], [0, 0, 8]] and mask.tolist() == [[1, 1, 1], [0, 0, 1]]


def of_bytes(ids: Sequence[int]) -> str:
    return bytes(ids).decode("utf-8", "replace")


@pytest.mark.parametrize(
    "text", ["Zoë 🎬 日本語", "  two  words ", "\N{REPLACEMENT CHARACTER}", ""]
)
def test_pieces_are_whole_characters_and_add_up(text: str) -> None:
    found = list(pieces(text.encode(), of_bytes))
    assert "".join(found) == text.strip() and all(found)
    if "🎬" in text:
        assert "🎬" in "".join(found) and len(found) == 7
        assert not any("\N{REPLACEMENT CHARACTER}" in piece for piece in found)


def test_bytes_that_never_become_a_character_are_given_at_the_end() -> None:
    assert "".join(pieces(b"ok \xf0\x9f", of_bytes)) == of_bytes(b"ok \xf0\x9f")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["not", " in the", " passage"], []),
        (["Not in", " the passage", "."], []),
        (["not", " in", " Rome"], ["not in Rome"]),
        (["in", " Rome"], ["in", " Rome"]),
        (["no", "t"], ["not"]),
        ([], []),
    ],
)
def test_nothing_is_said_where_it_abstains(given: list[str], expected: list[str]) -> None:
    assert list(unless_abstained(iter(given))) == expected
