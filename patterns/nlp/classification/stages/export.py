"""From torch to ONNX: one file that ONNX Runtime answers from, checked against what was trained.

The graph is taken with batch size and length left open. An export can go wrong without an error
(a traced branch, a mask that became a constant), so it is compared with torch on texts of many
lengths before anything is served by it:

    max |z_onnx − z_torch| ≤ 1e-3    and    the same label on at least 99.9 % of the texts

A failed check leaves torch in service, with a notice. ONNX Runtime folds and fuses the graph, and a
server with it imports neither torch nor transformers.

Shapes: B batch, L tokens, C classes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from common import onnx
from common.atomic import write_json
from common.encoders import Tokens, length_batches
from common.evaluation.parity import Parity
from patterns.nlp.classification.entities.outputs import Outputs

if TYPE_CHECKING:
    from patterns.nlp.classification.stages.encoder import EncoderClassifier

MODEL, FACTS = "model.onnx", "onnx.json"
NAME = "ONNX Runtime"


class OnnxClassifier:
    """An exported classifier in ONNX Runtime, from text to logits."""

    kind = "onnx"

    def __init__(self, model: bytes, tokens: Tokens, *, name: str = NAME, threads: int = 0) -> None:
        """`threads` 0 are all cores."""
        self.model, self.tokens, self.name = model, tokens, name
        self.session = onnx.session(model, threads=threads)
        self.classes, self.dimension = (int(each.shape[1]) for each in self.session.get_outputs())

    def predict(self, texts: Sequence[str], *, batch_size: int = 64) -> np.ndarray:
        """Return logits (N, C) in fp32."""
        return self.outputs(texts, batch_size=batch_size).logits

    def outputs(self, texts: Sequence[str], *, batch_size: int = 64) -> Outputs:
        """Return logits (N, C) and the vectors (N, D) below the head, in fp32."""
        logits = np.zeros((len(texts), self.classes), dtype=np.float32)
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for rows, ids, mask in length_batches(
            self.tokens(texts), batch_size=batch_size, pad=self.tokens.pad
        ):
            said = self.session.run(None, {"ids": ids, "mask": mask})
            logits[rows], vectors[rows] = said
        return Outputs(logits, vectors)

    def truncates(self, texts: Sequence[str]) -> list[bool]:
        """Return of each text whether its end is not read."""
        return self.tokens.truncates(texts)

    def save(self, folder: Path) -> None:
        """Write `model.onnx` and the tokenizer."""
        (folder / MODEL).write_bytes(self.model)
        self.tokens.save(folder)
        facts = {
            "name": self.name, "pad": self.tokens.pad, "max_length": self.tokens.max_length,
        }  # fmt: skip
        write_json(folder / FACTS, facts)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read an exported classifier."""
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        name = facts.pop("name")
        return cls((folder / MODEL).read_bytes(), Tokens.load(folder, **facts), name=name)


def export(trained: EncoderClassifier) -> OnnxClassifier:
    """Export a fine-tuned encoder with batch size and length open."""
    from patterns.nlp.classification.stages.pooled import WithVectors

    assert trained.module_ is not None and trained.tokens_ is not None, "fit it first"
    model = onnx.export(WithVectors(trained.module_), output=("logits", "vectors"))
    return OnnxClassifier(model, trained.tokens_)


def parity(exported: OnnxClassifier, trained: EncoderClassifier, texts: Sequence[str]) -> Parity:
    """Compare both on `texts`, padded in batches and one by one."""
    ours, theirs = exported.predict(texts), trained.predict(texts)  # (N, C)
    few = list(texts[:8])
    alone = np.concatenate([exported.predict([text]) for text in few])
    difference = max(float(np.abs(ours - theirs).max()), float(np.abs(alone - theirs[:8]).max()))
    agreement = float((ours.argmax(1) == theirs.argmax(1)).mean())
    return Parity(max_difference=difference, agreement=agreement, cases=len(texts))
