"""A text encoder for single queries: exported to ONNX Runtime, checked against where it came from.

A search encodes one short text at a time, and there torch spends its time on being called layer by
layer: on two cores MiniLM takes 4.1 ms for a query in torch and 2.3 ms in ONNX Runtime (medians).
Pooling and the division by the length are part of the graph:

    e(q) = v / |v|,   v = Σ_t m_t h_t / Σ_t m_t     (mean over real tokens; or h_0, "cls")

Training and serving both encode queries by the exported form, so that a query has one vector.

Shapes: N texts, L tokens, D dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from common.encoders.base import Encoder, write_facts
from common.encoders.tokens import Tokens, length_batches
from common.encoders.transformer import TransformerEncoder
from common.onnx import export, session

ONNX = "onnx"
MODEL = "encoder.onnx"
MOST_DIFFERENCE = 1e-4  # of any coordinate of a unit vector


class OnnxEncoder(Encoder):
    """Texts to unit vectors in ONNX Runtime, on one thread: a short text gains nothing by more."""

    def __init__(self, model: bytes, tokens: Tokens, *, name: str, threads: int = 1) -> None:
        """`threads` 0 are all cores, for many texts at once."""
        self.model, self.tokens, self.name = model, tokens, name
        self.session = session(model, threads=threads)

    @property
    def dimension(self) -> int:
        """D."""
        return int(self.session.get_outputs()[0].shape[1])

    def encode(
        self, texts: Sequence[str], batch_size: int = 64, *, precision: str = "fp32"
    ) -> np.ndarray:
        """Return (N, D) float32 rows of length 1, in fp32 whatever `precision` asks."""
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        ids_of = self.tokens(texts)
        for rows, ids, mask in length_batches(ids_of, batch_size=batch_size, pad=self.tokens.pad):
            vectors[rows] = self.session.run(None, {"ids": ids, "mask": mask})[0]
        return vectors

    def truncates(self, texts: Sequence[str]) -> list[bool]:
        """Return of each text whether its end is not read."""
        return self.tokens.truncates(texts)

    def save(self, folder: Path) -> None:
        """Write the graph with its weights, and the tokenizer."""
        (folder / MODEL).write_bytes(self.model)
        self.tokens.save(folder)
        facts = {
            "kind": ONNX, "name": self.name, "pad": self.tokens.pad,
            "max_length": self.tokens.max_length,
        }  # fmt: skip
        write_facts(folder, facts)

    @classmethod
    def load(cls, folder: Path, facts: dict[str, Any]) -> Self:
        """Read what `save` wrote."""
        tokens = Tokens.load(folder, pad=facts["pad"], max_length=facts["max_length"])
        return cls((folder / MODEL).read_bytes(), tokens, name=facts["name"])


def exported(encoder: TransformerEncoder) -> OnnxEncoder:
    """Export with batch size and length left open."""
    import torch

    class Pooled(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = encoder.model  # registered, so that the exporter sees the weights

        def forward(self, ids: Any, mask: Any) -> Any:
            return torch.nn.functional.normalize(encoder.pool(ids, mask), dim=1)

    try:
        model = export(Pooled(), output="vectors")
    finally:
        encoder.model.to(encoder.device)
    tokens = Tokens.of_transformer(encoder.tokenizer, max_length=encoder.max_length)
    return OnnxEncoder(model, tokens, name=encoder.name)


def for_queries(encoder: Encoder, sample: Sequence[str]) -> tuple[Encoder, str | None]:
    """Return the encoder to answer queries with, and what must be said where it is not the export.

    `sample` are texts to compare on. Anything but a transformer is quick as it is and comes back.
    """
    if not isinstance(encoder, TransformerEncoder):
        return encoder, None
    try:
        quick = exported(encoder)
    except (RuntimeError, ValueError, TypeError, AttributeError) as problem:
        reason = (str(problem).splitlines() or [type(problem).__name__])[0]
        return encoder, f"{encoder.name} could not be exported ({reason}); torch encodes queries"
    difference = largest_difference(quick, encoder, sample)
    if difference > MOST_DIFFERENCE:
        return (
            encoder,
            f"the export of {encoder.name} differs by {difference:.1g}, too much for"
            " queries; torch encodes them",
        )
    return quick, None


def largest_difference(quick: Encoder, encoder: Encoder, sample: Sequence[str]) -> float:
    """Compare any coordinate on `sample`, padded in batches and one by one."""
    texts = list(dict.fromkeys([*sample, "a", "an unknown wørd 🎬"]))
    wanted = encoder.encode(texts)
    together = np.abs(quick.encode(texts) - wanted).max()
    alone = np.concatenate([quick.encode([text]) for text in texts[-8:]])
    return float(max(together, np.abs(alone - wanted[-8:]).max()))
