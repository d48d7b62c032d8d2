"""What an encoder is: texts in, unit vectors out, whichever model stands behind it.

Shapes: N texts, D dimensions.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from common.atomic import write_json

INDEX = "encoder.json"


class Encoder(ABC):
    """What turns texts into vectors; `fit` matters to the fallback only, and is always safe."""

    name: str
    notice: str | None = None
    cut_share: float = 0.0  # of the texts last encoded, those that were too long to be read whole

    @property
    @abstractmethod
    def dimension(self) -> int:
        """D."""

    def fit(self, corpus: Sequence[str]) -> Self:
        """Learn from a corpus; a pretrained encoder has nothing to learn."""
        return self

    @abstractmethod
    def encode(
        self, texts: Sequence[str], batch_size: int = 64, *, precision: str = "fp32"
    ) -> np.ndarray:
        """Return (N, D) float32 rows of length 1; a text without any known word may be a zero row.

        `precision` "auto" multiplies in bf16 where the hardware does so quickly: good for a large
        corpus, at differences of about .005 in a cosine.
        """

    def truncates(self, texts: Sequence[str]) -> list[bool]:
        """Return of each text whether its end is not read; never, unless there is a limit."""
        return [False] * len(texts)

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write all that `load_saved` needs."""


def write_facts(folder: Path, facts: dict[str, Any]) -> None:
    """Write what `load_saved` reads first: the kind, and what that kind needs."""
    write_json(folder / INDEX, facts)
