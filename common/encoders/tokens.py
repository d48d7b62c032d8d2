"""Texts to token ids, by one function in training and in serving.

The fast tokenizer of a model is one JSON file (vocabulary, normalisation, special tokens), which
the small `tokenizers` library reads without transformers or torch; so the server needs neither.
Batches are cut from the texts sorted by length: a batch costs what its longest text costs, and with
12 words on average and 80 at most, padding to one length would cost about six times as much.

Shapes: B texts of a batch, L tokens of its longest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

FILE = "tokenizer.json"


class Tokens:
    """A tokenizer that cuts texts to `max_length` tokens, special ones included."""

    def __init__(self, tokenizer: Any, *, pad: int, max_length: int) -> None:
        self.tokenizer, self.pad, self.max_length = tokenizer, pad, max_length
        tokenizer.no_padding()
        tokenizer.enable_truncation(max_length=max_length)

    @classmethod
    def of_transformer(cls, tokenizer: Any, *, max_length: int) -> Self:
        """Take the fast tokenizer out of a transformers one; its own limit is kept if lower."""
        backend = getattr(tokenizer, "backend_tokenizer", None)
        if backend is None:
            raise ValueError(
                f"model: {type(tokenizer).__name__} has no fast tokenizer, which serving needs; "
                "choose another model"
            )
        longest = min(max_length, int(tokenizer.model_max_length))
        return cls(backend, pad=tokenizer.pad_token_id or 0, max_length=longest)

    def __call__(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of each text; never empty, since special tokens are added."""
        return [encoding.ids for encoding in self.tokenizer.encode_batch(list(texts))]

    def truncates(self, texts: Sequence[str]) -> list[bool]:
        """Return of each text whether it has more than `max_length` tokens."""
        return [bool(each.overflowing) for each in self.tokenizer.encode_batch(list(texts))]

    def cut(self, texts: Sequence[str]) -> int:
        """Return how many of the texts have more than `max_length` tokens."""
        return sum(self.truncates(texts))

    def save(self, folder: Path) -> None:
        """Write `tokenizer.json`."""
        self.tokenizer.save(str(folder / FILE))

    @classmethod
    def load(cls, folder: Path, *, pad: int, max_length: int) -> Self:
        """Read `tokenizer.json`."""
        from tokenizers import Tokenizer

        return cls(Tokenizer.from_file(str(folder / FILE)), pad=pad, max_length=max_length)


def length_batches(
    sequences: Sequence[Sequence[int]], *, batch_size: int, pad: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield (rows (B,), ids (B, L), mask (B, L)), shortest texts first, every row once."""
    lengths = np.array([len(sequence) for sequence in sequences], dtype=np.int64)
    order = np.argsort(lengths, kind="stable")
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        longest = int(lengths[rows].max())
        ids = np.full((len(rows), longest), pad, dtype=np.int64)
        for place, row in enumerate(rows):
            ids[place, : lengths[row]] = sequences[row]
        mask = (np.arange(longest)[None, :] < lengths[rows, None]).astype(np.int64)
        yield rows, ids, mask
