"""Batches of pairs, similar lengths together, cut by tokens: little padding, and even steps.

A batch holds as many pairs as fill `tokens` tokens of source and target together, padding counted,
so a batch of short pairs has many and one of long pairs few, and each costs about the same. Pairs
are sorted by the length of the target, those of one length by that of the source, so that neither
side is padded much. Order and batches of an epoch are a function of seed and epoch, as those of
`common.training.LengthLoader` are, so that a killed run goes on exactly.

Shapes: N pairs, B batch, S source tokens, T target tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from common.training.data import pad_sequences
from patterns.nlp.translation.stages.subwords import END, PAD, START

Batch = tuple[Tensor, Tensor]
BLUR = 3.0  # tokens of a source, by which the order differs from epoch to epoch


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
        self.lengths = np.array(
            [(len(a), len(b)) for a, b in zip(self.sources, self.targets, strict=True)]
        )  # (N, 2)
        self.shuffle, self.seed, self.epoch = shuffle, seed, 0
        # The number of batches must not change from epoch to epoch (schedules count on it), so the
        # cuts are made once; an epoch only moves pairs of one length across them.
        self.cuts = _cuts(self.lengths[self._sorted(0.0)], tokens)

    def __len__(self) -> int:
        return len(self.cuts) - 1

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next iteration."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[Batch]:
        return self.batches()

    def rows(self) -> list[np.ndarray]:
        """Return the row numbers of every batch of the current epoch."""
        order = self._sorted(BLUR if self.shuffle else 0.0)
        batches = [order[a:b] for a, b in zip(self.cuts, self.cuts[1:], strict=False)]
        if not self.shuffle:
            return batches
        visited = np.random.default_rng((self.seed, self.epoch, 1)).permutation(len(batches))
        return [batches[number] for number in visited]

    def batches(self, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of the current epoch from number `start` on."""
        for rows in self.rows()[start:]:
            yield (
                padded([self.sources[row] for row in rows]),
                padded([self.targets[row] for row in rows]),
            )

    def padding(self) -> float:
        """Return the share of the places of an epoch that hold no token."""
        places = sum(
            int((len(rows) * self.lengths[rows].max(axis=0)).sum()) for rows in self.rows()
        )
        return 1 - int(self.lengths.sum()) / places

    def _sorted(self, blur: float) -> np.ndarray:
        """Return the rows by target length, then by source length, which `blur` moves a little."""
        noise = np.random.default_rng((self.seed, self.epoch)).random(len(self.lengths))
        return np.lexsort((self.lengths[:, 0] + blur * noise, self.lengths[:, 1]))


def with_end(pieces: Sequence[int]) -> list[int]:
    """Return the pieces of a source as the encoder reads them."""
    return [*pieces, END]


def padded(sequences: Sequence[Tensor]) -> Tensor:
    """Return ids (B, L)."""
    return pad_sequences(sequences, pad=PAD)[0]


def _cuts(lengths: np.ndarray, tokens: int) -> list[int]:
    """Cut sorted lengths (N, 2) into batches of so many tokens; a batch holds at least one pair."""
    cuts, start, longest = [0], 0, np.zeros(2, int)
    for row, pair in enumerate(lengths):
        longest = np.maximum(longest, pair)
        if row > start and (row - start + 1) * int(longest.sum()) > tokens:
            cuts.append(row)
            start, longest = row, pair
    return [*cuts, len(lengths)]
