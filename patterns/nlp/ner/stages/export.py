"""From torch to ONNX: one file that ONNX Runtime answers from, checked against what was trained.

The graph scores pieces, with batch size and length left open; words, windows and decoding stay in
numpy, the same as beside torch. An export can go wrong without an error (a traced branch, a mask
that became a constant), so it is compared with torch on sentences of many lengths before it may
serve:

    max |s_onnx − s_torch| ≤ 1e-3    and    the same tags in at least 99.9 % of the sentences

A failed check leaves torch in service, with a notice. A server with it imports neither torch nor
transformers.

Shapes: B windows, L pieces, n words of a sentence, C tags.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from common import onnx
from common.atomic import write_json
from common.evaluation.parity import Parity
from patterns.nlp.ner.entities.sentences import Words
from patterns.nlp.ner.stages.batches import window_batches
from patterns.nlp.ner.stages.decoding import Decoder
from patterns.nlp.ner.stages.pieces import Pieces, stitched, word_means

if TYPE_CHECKING:
    from patterns.nlp.ner.stages.encoder import EncoderTagger

MODEL, FACTS = "model.onnx", "onnx.json"


class OnnxTagger:
    """An exported tagger in ONNX Runtime, from words to scores."""

    kind = "onnx"
    name = "ONNX Runtime"

    def __init__(self, session: Any, pieces: Pieces, decoder: Decoder, model: bytes) -> None:
        self.session, self.pieces, self.decoder_, self.model = session, pieces, decoder, model

    def predict(self, sentences: Sequence[Words], *, batch_size: int = 32) -> list[np.ndarray]:
        """Return the scores (n, C) of each sentence in fp32."""
        made = self.pieces(sentences)
        found: list[np.ndarray] = [np.zeros(0)] * len(made)
        for rows, ids, mask, codes in window_batches(
            made, batch_size=batch_size, pad=self.pieces.pad
        ):
            inputs = {"ids": ids, "mask": mask, "codes": codes}
            for row, of_pieces in zip(rows, self.session.run(None, inputs)[0], strict=True):
                words = made[row].words
                found[row] = word_means(of_pieces[: len(words)], words)
        return stitched(made, found, sentences, len(self.decoder_.tags))

    def truncates(self, sentences: Sequence[Words]) -> list[bool]:
        """Tell of each sentence whether a word of it is too long to be read whole."""
        return self.pieces.truncates(sentences)

    def save(self, folder: Path) -> None:
        """Write `model.onnx`, the tokenizer and the decoder."""
        (folder / MODEL).write_bytes(self.model)
        self.pieces.save(folder)
        self.decoder_.save(folder)
        write_json(folder / FACTS, self.pieces.facts())

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read an exported tagger."""
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        model = (folder / MODEL).read_bytes()
        pieces = Pieces.load(folder, **facts)
        return cls(onnx.session(model), pieces, Decoder.load(folder), model)


def export(trained: EncoderTagger) -> OnnxTagger:
    """Export a fine-tuned tagger with batch size and length open."""
    assert trained.module_ is not None and trained.pieces_ is not None, "fit it first"
    model = onnx.export(trained.module_, output="scores", more=("codes",))
    return OnnxTagger(onnx.session(model), trained.pieces_, trained.decoder_, model)


def parity(exported: OnnxTagger, trained: EncoderTagger, sentences: Sequence[Words]) -> Parity:
    """Compare both on `sentences`, padded in batches and one by one."""
    ours, theirs = exported.predict(sentences), trained.predict(sentences)
    few = list(sentences[:8])
    alone = [exported.predict([words])[0] for words in few]
    pairs = [*zip(ours, theirs, strict=True), *zip(alone, theirs[:8], strict=True)]
    difference = max((float(np.abs(a - b).max()) for a, b in pairs if len(a)), default=0.0)
    decoded = zip(trained.decoder_.decode(ours), trained.decoder_.decode(theirs), strict=True)
    agreement = float(np.mean([a == b for a, b in decoded]))
    return Parity(
        max_difference=difference, agreement=agreement, cases=len(sentences), of="sentences"
    )
