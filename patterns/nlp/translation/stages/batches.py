"""Batches of pairs, similar lengths together, cut by tokens: little padding, and even steps.

A batch holds as many pairs as fill `tokens` tokens of source and target together, padding counted,
so a batch of short pairs has many and one of long pairs few, and each costs about the same. The
order is that of `LengthLoader`, a function of seed and epoch, so that a killed run goes on exactly.

Shapes: B batch, S source tokens, T target tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from common.training import LengthLoader
from common.training.data import pad_sequences
from patterns.nlp.translation.stages.subwords import END, PAD, START

Batch = tuple[Tensor, Tensor]
BLUR = 0.05  # of a length, by which the order differs from epoch to epoch


class PairLoader:
    """Re-iterable batches of source ids (B, S) and target ids (B, T), START and END included."""

    def __init__(
        self,
        sources: Sequence[Sequence[int]],
        targets: Sequence[Sequence[int]],
        *,
        tokens: int,
        shuffle: bool = True,
        seed: int = 0,
    ) -> None:
        """Both as `Subwords.encode` gives them."""
        self.sources = [torch.tensor(with_end(each)) for each in sources]
        self.targets = [torch.tensor([START, *with_end(each)]) for each in targets]
        both = [[*a, *b, END, START, END] for a, b in zip(sources, targets, strict=True)]
        self.order = LengthLoader(
            both, batch_size=len(both), tokens=tokens, shuffle=shuffle, seed=seed, blur=BLUR
        )

    def __len__(self) -> int:
        return len(self.order)

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next iteration."""
        self.order.set_epoch(epoch)

    def __iter__(self) -> Iterator[Batch]:
        return self.batches()

    def batches(self, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of the current epoch from number `start` on."""
        for rows in self.order.rows()[start:]:
            yield (
                padded([self.sources[row] for row in rows]),
                padded([self.targets[row] for row in rows]),
            )

    def padding(self) -> float:
        """Return the share of the places of an epoch that hold no token."""
        places = sum(a.numel() + b.numel() for a, b in self.batches())
        tokens = sum(len(a) + len(b) for a, b in zip(self.sources, self.targets, strict=True))
        return 1 - tokens / places


def with_end(pieces: Sequence[int]) -> list[int]:
    """Return the pieces of a source as the encoder reads them."""
    return [*pieces, END]


def padded(sequences: Sequence[Tensor]) -> Tensor:
    """Return ids (B, L)."""
    return pad_sequences(sequences, pad=PAD)[0]
