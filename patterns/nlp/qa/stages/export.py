"""From torch to ONNX: one file that ONNX Runtime reads with, checked against what was trained.

The graph is taken with batch size and length left open. An export can go wrong without an error (a
traced branch, a mask that became a constant), so it is compared with torch on contexts of many
lengths, padded in batches and alone, before anything is served by it:

    max |z_onnx − z_torch| ≤ 1e-3 on best spans and nulls,   the same best span on ≥ 99.5 % of them

A failed check leaves torch in service, with a notice. A server with the export imports neither
torch nor transformers.
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
from patterns.nlp.qa.entities.answers import Reading
from patterns.nlp.qa.stages.spans import read
from patterns.nlp.qa.stages.windows import PairTokens

if TYPE_CHECKING:
    from patterns.nlp.qa.stages.reader import SpanReader

MODEL, FACTS = "reader.onnx", "onnx.json"
LEAST_AGREEMENT = 0.995
ALONE = 8  # contexts that are read one by one, too


class OnnxReader:
    """An exported reader in ONNX Runtime, from texts to spans."""

    kind = "onnx"
    name = "ONNX Runtime"

    def __init__(self, session: Any, tokens: PairTokens, model: bytes, *, max_answer: int) -> None:
        self.session, self.tokens, self.model = session, tokens, model
        self.max_answer = max_answer

    def read(
        self, questions: Sequence[str], contexts: Sequence[str], *, k: int = 20
    ) -> list[Reading]:
        """Return the `k` best spans of each context for its question."""

        def run(ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
            logits: np.ndarray = self.session.run(None, {"ids": ids, "mask": mask})[0]
            return logits

        return read(run, self.tokens, questions, contexts, max_answer=self.max_answer, k=k)

    def truncates(self, questions: Sequence[str]) -> list[bool]:
        """Tell which questions are too long to be read whole."""
        return self.tokens.truncates(questions)

    def save(self, folder: Path) -> None:
        """Write the graph with its weights, and the tokenizer."""
        (folder / MODEL).write_bytes(self.model)
        self.tokens.save(folder)
        write_json(folder / FACTS, {"max_answer": self.max_answer, "tokens": self.tokens.facts})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read an exported reader."""
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        model = (folder / MODEL).read_bytes()
        tokens = PairTokens.load(folder, **facts["tokens"])
        return cls(onnx.session(model), tokens, model, max_answer=facts["max_answer"])


def export(trained: SpanReader) -> OnnxReader:
    """Export a fine-tuned reader with batch size and length open."""
    assert trained.module_ is not None and trained.tokens_ is not None, "fit it first"
    model = onnx.export(trained.module_, output="logits")
    session = onnx.session(model)
    return OnnxReader(session, trained.tokens_, model, max_answer=trained.max_answer)


def parity(
    exported: OnnxReader, trained: SpanReader, questions: Sequence[str], contexts: Sequence[str]
) -> Parity:
    """Compare both on questions with their contexts, in batches and some of them alone."""
    theirs = trained.read(questions, contexts, k=1)
    ours = exported.read(questions, contexts, k=1)
    some = range(min(ALONE, len(questions)))
    alone = [exported.read([questions[row]], [contexts[row]], k=1)[0] for row in some]
    pairs = [*zip(ours, theirs, strict=True), *zip(alone, theirs, strict=False)]
    differences = [abs(a.null - b.null) for a, b in pairs]
    differences += [abs(_score(a) - _score(b)) for a, b in pairs]
    same = [_place(a) == _place(b) for a, b in pairs]
    return Parity(
        max_difference=max(differences, default=0.0),
        agreement=float(np.mean(same)),
        cases=len(questions),
        of="contexts",
        least_agreement=LEAST_AGREEMENT,
    )


def _score(reading: Reading) -> float:
    return reading.spans[0].score if reading.spans else 0.0


def _place(reading: Reading) -> tuple[int, int] | None:
    return (reading.spans[0].start, reading.spans[0].end) if reading.spans else None
