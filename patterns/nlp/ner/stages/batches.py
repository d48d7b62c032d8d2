"""Windows to padded arrays, shortest first: what torch and ONNX Runtime are fed alike.

Shapes: B windows of a batch, L pieces of its longest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from common.encoders import length_batches
from patterns.nlp.ner.stages.pieces import Window
from patterns.nlp.ner.stages.shapes import NOTHING_HERE


def window_batches(
    made: Sequence[Window], *, batch_size: int, pad: int
) -> Iterator[tuple[list[int], np.ndarray, np.ndarray, np.ndarray]]:
    """Yield (rows (B,), ids (B, L), mask (B, L), codes (B, L)), every window once."""
    ids_of = [each.ids for each in made]
    for rows, ids, mask in length_batches(ids_of, batch_size=batch_size, pad=pad):
        codes = np.full(ids.shape, NOTHING_HERE, dtype=np.int64)
        for place, row in enumerate(rows):
            codes[place, : len(made[row].codes)] = made[row].codes
        yield rows.tolist(), ids, mask, codes
