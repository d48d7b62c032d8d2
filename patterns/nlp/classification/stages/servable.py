"""What can serve, by the kind that a saved pipeline knows it by.

Each is imported when it is needed: a server of ONNX needs no torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Protocol, Self

import numpy as np

from patterns.nlp.classification.entities.outputs import Outputs

STAGES = "patterns.nlp.classification.stages"
SERVABLE = {  # kind -> module and class
    "tfidf": ("tfidf", "TfidfClassifier"),
    "frozen": ("frozen", "FrozenClassifier"),
    "features": ("features", "FeatureClassifier"),
    "encoder": ("encoder", "EncoderClassifier"),
    "onnx": ("export", "OnnxClassifier"),
}


class Servable(Protocol):
    """Texts to logits, saved to a folder; shapes: N texts, C classes."""

    @property
    def kind(self) -> str:
        """Key of `SERVABLE`."""

    @property
    def name(self) -> str:
        """What tables call it."""

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """Return logits (N, C)."""

    def outputs(self, texts: Sequence[str]) -> Outputs:
        """Return logits and, of an encoder, the vectors below them."""

    def truncates(self, texts: Sequence[str]) -> list[bool]:
        """Return of each text whether its end is not read."""

    def save(self, folder: Path) -> None:
        """Write all that `load` needs."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""


def load_servable(kind: str, folder: Path) -> Servable:
    """Read what was saved by a stage of this kind."""
    module, name = SERVABLE[kind]
    stage: type[Servable] = getattr(import_module(f"{STAGES}.{module}"), name)
    return stage.load(folder)
