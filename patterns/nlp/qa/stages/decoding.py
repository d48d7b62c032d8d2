"""Texts token by token: what a causal model writes after a prompt, many at once or as a stream.

A step reads the newest token of each text and gives the logits of the next; keys and values of all
earlier ones are kept ("KV cache"), so that T tokens cost T steps of one row each. Prompts of
unequal length are padded on the left: the newest token is then the last of every row, and padding
is masked out. A text that is finished leaves the batch, and with it its part of the cache.

A token is a piece of UTF-8, and one character may take several: `pieces` holds back what is not yet
a whole character, so that what it gives, put together, is the text.

Shapes: B texts, T tokens read in a step, V tokens of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

UNFINISHED = "\N{REPLACEMENT CHARACTER}"  # what the bytes of half a character are decoded to


class Writer(Protocol):
    """A causal model amid B texts, with the keys and values of what it has read of them."""

    def read(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Read on by ids (B, T), where the mask (B, T) is 1, and return the next logits (B, V)."""

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows of the batch only."""


class CausalModel(Protocol):
    """What can write, and be trained to: a network whose every position sees those before it."""

    @property
    def device(self) -> torch.device:
        """Where its weights are."""

    def writer(self) -> Writer:
        """Begin new texts."""

    def logits_at(self, ids: Tensor, positions: Tensor, seen: Tensor, wanted: Tensor) -> Tensor:
        """Return logits (n, V) at the n positions where `wanted` (B, L) is true.

        `ids` and `positions` (B, L); `seen` (B, L, L) is true where a query may look at a key.
        """


def write(
    model: CausalModel,
    prompts: Sequence[Sequence[int]],
    *,
    stop: Iterable[int],
    max_new_tokens: int,
    choose: Callable[[Tensor], Tensor],
) -> Iterator[tuple[int, int]]:
    """Yield (row, token) in the order of writing; a row ends before its first token of `stop`."""
    writer = model.writer()
    ends = torch.tensor(sorted(set(stop)))
    ids, mask = left_padded(prompts)
    rows = torch.arange(len(prompts))
    for _ in range(max_new_tokens):
        with torch.inference_mode():
            tokens = choose(writer.read(ids.to(model.device), mask.to(model.device))).cpu()  # (B,)
            going = ~torch.isin(tokens, ends)
            rows, tokens = rows[going], tokens[going]
            if not len(rows):
                return
            if not bool(going.all()):
                writer.keep(going.nonzero()[:, 0].to(model.device))
        yield from zip(rows.tolist(), tokens.tolist(), strict=True)
        ids, mask = tokens[:, None], torch.ones((len(rows), 1), dtype=torch.long)


def generate(
    model: CausalModel,
    prompts: Sequence[Sequence[int]],
    *,
    stop: Iterable[int],
    max_new_tokens: int,
    choose: Callable[[Tensor], Tensor],
    batch_size: int = 16,
) -> list[list[int]]:
    """Return what is written after each prompt; prompts of similar length are read together."""
    written: list[list[int]] = [[] for _ in prompts]
    order = np.argsort([len(prompt) for prompt in prompts], kind="stable")
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        batch = [prompts[row] for row in chosen]
        tokens = write(model, batch, stop=stop, max_new_tokens=max_new_tokens, choose=choose)
        for row, token in tokens:
            written[chosen[row]].append(token)
    return written


def left_padded(prompts: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Return ids (B, T), 0 on the left of shorter prompts, and the mask (B, T) of real tokens."""
    longest = max(len(prompt) for prompt in prompts)
    ids = torch.zeros((len(prompts), longest), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, longest - len(prompt) :] = torch.as_tensor(prompt, dtype=torch.long)
        mask[row, longest - len(prompt) :] = 1
    return ids, mask


def pieces(tokens: Iterable[int], decode: Callable[[Sequence[int]], str]) -> Iterator[str]:
    """Yield the text of `tokens` as it grows, without white space around it.

    Held back are bytes that are not yet a character, and white space until something follows.
    """
    ids: list[int] = []
    given = text = ""
    for token in tokens:
        ids.append(token)
        text = decode(ids).lstrip()
        ready = text.rstrip(UNFINISHED).rstrip()
        if ready.startswith(given) and len(ready) > len(given):
            yield ready[len(given) :]
            given = ready
    rest = text.rstrip()[len(given) :]
    if rest:
        yield rest


class Uncached:
    """A writer that reads its texts again from the start at every step: what a cache saves.

    All rows are of one length, without padding.
    """

    def __init__(self, model: CausalModel) -> None:
        self.model = model
        self.ids = torch.zeros((0, 0), dtype=torch.long)

    def read(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Read the texts so far and ids (B, T) after them; return the next logits (B, V)."""
        self.ids = torch.cat((self.ids, ids), dim=1) if self.ids.numel() else ids
        rows, length = self.ids.shape
        positions = torch.arange(length, device=ids.device).expand(rows, -1)
        seen = torch.ones((rows, length, length), dtype=torch.bool, device=ids.device).tril()
        return self.model.logits_at(self.ids, positions, seen, positions == length - 1)

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows of the batch only."""
        self.ids = self.ids[rows]
