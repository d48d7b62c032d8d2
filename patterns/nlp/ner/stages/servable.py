"""What can serve, by the kind that a saved pipeline knows it by.

Each is imported when it is needed: a server of ONNX needs no torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Protocol, Self

import numpy as np

from patterns.nlp.ner.entities.sentences import Words
from patterns.nlp.ner.stages.decoding import Decoder

STAGES = "patterns.nlp.ner.stages"
SERVABLE = {  # kind -> module and class
    "gazetteer": ("gazetteer", "Gazetteer"),
    "linear": ("linear", "LinearTagger"),
    "encoder": ("encoder", "EncoderTagger"),
    "onnx": ("export", "OnnxTagger"),
}


class Servable(Protocol):
    """Words to scores, saved to a folder; shapes: n words of a sentence, C tags."""

    decoder_: Decoder

    @property
    def kind(self) -> str:
        """Key of `SERVABLE`."""

    @property
    def name(self) -> str:
        """What tables call it."""

    def predict(self, sentences: Sequence[Words]) -> list[np.ndarray]:
        """Return the scores (n, C) of each sentence."""

    def truncates(self, sentences: Sequence[Words]) -> list[bool]:
        """Tell of each sentence whether a part of it is not read."""

    def save(self, folder: Path) -> None:
        """Write all that `load` needs, the decoder included."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""


def load_servable(kind: str, folder: Path) -> Servable:
    """Read what was saved by a stage of this kind."""
    module, name = SERVABLE[kind]
    stage: type[Servable] = getattr(import_module(f"{STAGES}.{module}"), name)
    return stage.load(folder)
