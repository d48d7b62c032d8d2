"""Batches without worker processes: tensors in memory, sliced in an order that can be replayed.

The order of an epoch is a pure function of (seed, epoch), and the randomness of a batch's
transform of (seed, epoch, batch). So a run that was killed in the middle of an epoch can start
again at the next batch and see exactly what it would have seen: `batches(start)` skips without
doing the work. Worker processes would pay only where decoding is slow; here the data is decoded
once and lies in memory.

`LengthLoader` does the same for sequences of unequal length: batches are cut from the list sorted
by length, so that short texts are not padded to the longest one, and then shuffled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

Batch = tuple[Tensor, ...]
Transform = Callable[[Batch, torch.Generator], Batch]


class Loader(Protocol):
    """Re-iterable batches; `set_epoch(e)` and `batches(start)` are used where a loader has them."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Any]: ...


def rest_of_epoch(
    loader: Loader, start: int, stop: int, processes: int, rank: int
) -> Iterator[Any]:
    """Yield batches `start` to `stop` of process `rank`: its own of every round of batches."""
    first, last = start * processes, stop * processes
    if hasattr(loader, "batches"):
        rest = islice(loader.batches(first), last - first)
    else:
        rest = islice(loader, first, last)
    return islice(rest, rank, None, processes)


class TensorLoader:
    """Re-iterable batches of tensors (or numpy arrays) that share their first dimension.

    `transform(batch, generator)` augments a batch; drawing from `generator` keeps it replayable.
    The last batch of an epoch may be short; `drop_last` leaves it out.
    """

    def __init__(
        self,
        *tensors: Tensor | np.ndarray,
        batch_size: int,
        shuffle: bool = True,
        seed: int = 0,
        transform: Transform | None = None,
        drop_last: bool = False,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size: {batch_size} is out of range; give 1 or more")
        self.tensors = tuple(torch.as_tensor(tensor) for tensor in tensors)
        lengths = {len(tensor) for tensor in self.tensors}
        if len(lengths) != 1 or lengths == {0}:
            raise ValueError(f"tensors: need one common length above 0, found {sorted(lengths)}")
        self.batch_size, self.shuffle, self.seed = batch_size, shuffle, seed
        self.transform, self.drop_last, self.epoch = transform, drop_last, 0
        if len(self) == 0:
            raise ValueError(
                f"batch_size: {batch_size} exceeds the {len(self.tensors[0])} rows; "
                "give a smaller one or drop_last=False"
            )

    def __len__(self) -> int:
        rows = len(self.tensors[0])
        return rows // self.batch_size if self.drop_last else -(-rows // self.batch_size)

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next iteration."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[Batch]:
        return self.batches()

    def batches(self, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of the current epoch from number `start` on."""
        rows = len(self.tensors[0])
        order = torch.from_numpy(_order(rows, self.seed, self.epoch)) if self.shuffle else None
        for number in range(start, len(self)):
            piece = slice(number * self.batch_size, (number + 1) * self.batch_size)
            if order is None:
                batch = tuple(tensor[piece] for tensor in self.tensors)
            else:
                chosen = order[piece]
                batch = tuple(tensor.index_select(0, chosen) for tensor in self.tensors)
            yield _transformed(batch, self.transform, self.seed, self.epoch, number)


class LengthLoader:
    """Batches `(ids (B, L), mask (B, L), *tensors)` of integer sequences, similar lengths together.

    At most `batch_size` sequences and, if given, `tokens` padded tokens a batch. With `shuffle`,
    lengths are blurred by up to `blur` of themselves before sorting, so that batches differ from
    epoch to epoch, and the batches are visited in random order; without, the given order is kept
    only within a length: `order` of the last iteration tells which row came where.
    """

    def __init__(
        self,
        sequences: Sequence[Sequence[int]],
        *tensors: Tensor | np.ndarray,
        batch_size: int,
        tokens: int | None = None,
        pad: int = 0,
        shuffle: bool = True,
        seed: int = 0,
        blur: float = 0.15,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size: {batch_size} is out of range; give 1 or more")
        if not len(sequences):
            raise ValueError("sequences: none were given; give at least one")
        self.sequences = [torch.as_tensor(sequence, dtype=torch.long) for sequence in sequences]
        self.lengths = np.array([len(sequence) for sequence in sequences])
        self.tensors = tuple(torch.as_tensor(tensor) for tensor in tensors)
        self.batch_size, self.tokens, self.pad = batch_size, tokens, pad
        self.shuffle, self.seed, self.blur, self.epoch = shuffle, seed, blur, 0
        # The number of batches must not change from epoch to epoch (schedules count on it), so the
        # cuts are made once, on the sorted lengths; an epoch only moves rows across them.
        self.cuts = _cuts(np.sort(self.lengths), batch_size, tokens)

    def __len__(self) -> int:
        return len(self.cuts) - 1

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next iteration."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[Batch]:
        return self.batches()

    def rows(self) -> list[np.ndarray]:
        """Return the row numbers of every batch of the current epoch."""
        if not self.shuffle:
            order = np.argsort(self.lengths, kind="stable")
            return [order[a:b] for a, b in zip(self.cuts, self.cuts[1:], strict=False)]
        rng = np.random.default_rng((self.seed, self.epoch))
        noise = 1 + self.blur * rng.random(len(self.lengths))
        order = np.argsort(self.lengths * noise, kind="stable")
        batches = [order[a:b] for a, b in zip(self.cuts, self.cuts[1:], strict=False)]
        return [batches[i] for i in rng.permutation(len(batches))]

    def batches(self, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of the current epoch from number `start` on."""
        for rows in self.rows()[start:]:
            ids, mask = pad_sequences([self.sequences[row] for row in rows], pad=self.pad)
            chosen = torch.from_numpy(rows)
            yield (ids, mask, *(tensor.index_select(0, chosen) for tensor in self.tensors))


def pad_sequences(sequences: Sequence[Tensor], *, pad: int = 0) -> tuple[Tensor, Tensor]:
    """Pad integer sequences to the longest: ids (B, L), and mask (B, L) with 1 for a token."""
    ids = torch.nn.utils.rnn.pad_sequence(list(sequences), batch_first=True, padding_value=pad)
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    mask = (torch.arange(ids.shape[1])[None, :] < lengths[:, None]).long()
    return ids, mask


def _cuts(sorted_lengths: np.ndarray, batch_size: int, tokens: int | None) -> list[int]:
    """Cut the sorted lengths into batches within both limits; a batch holds at least one row."""
    cuts, start = [0], 0
    for row, length in enumerate(sorted_lengths):
        rows = row - start + 1
        if rows > batch_size or (tokens is not None and rows > 1 and rows * length > tokens):
            cuts.append(row)
            start = row
    return [*cuts, len(sorted_lengths)]


def _order(rows: int, seed: int, epoch: int) -> np.ndarray:
    return np.random.default_rng((seed, epoch)).permutation(rows)


def _transformed(
    batch: Batch, transform: Transform | None, seed: int, epoch: int, number: int
) -> Batch:
    if transform is None:
        return batch
    generator = torch.Generator()
    mixed = np.random.SeedSequence((seed, epoch, number)).generate_state(2, np.uint32)
    generator.manual_seed(int(mixed[0]) << 32 | int(mixed[1]))
    return transform(batch, generator)
