"""From fp32 to int8: a quarter of the size and quicker, served only where it says the same.

Every matrix is rounded to 255 steps (`common.onnx.quantised`), which most models do not notice and
some do not survive. So the small model is put on the validation texts beside the one that it came
from, and serves if

    the same label on at least 98 % of the texts    and    the score falls by at most .01

Else fp32 serves, with a notice. The two belong together: a model may agree and have lost where it
matters, or reach the score by other mistakes, which callers would see as answers that changed.

Shapes: N texts.
"""

from __future__ import annotations

from dataclasses import dataclass

from common import onnx
from patterns.nlp.classification.entities.texts import Texts
from patterns.nlp.classification.stages.export import OnnxClassifier
from patterns.nlp.classification.stages.score import score, score_name

NAME = "ONNX Runtime INT8"
LEAST_AGREEMENT, MOST_LOSS = 0.98, 0.01


@dataclass(frozen=True)
class Gate:
    """What quantisation changed on the validation texts."""

    agreement: float
    score: float
    full_score: float
    measure: str
    """What the scores are: "accuracy" or "macro F1"."""
    texts: int
    megabytes: float
    full_megabytes: float

    @property
    def holds(self) -> bool:
        """Whether int8 may serve."""
        return self.agreement >= LEAST_AGREEMENT and self.full_score - self.score <= MOST_LOSS

    @property
    def notice(self) -> str | None:
        """What to say if int8 may not serve."""
        if self.holds:
            return None
        return (
            f"INT8 is not served: of {self.texts:,} validation texts {self.agreement:.4f} keep"
            f" their label and {self.measure} is {self.score:.4f} after {self.full_score:.4f};"
            " fp32 serves instead."
        )


def quantise(exported: OnnxClassifier) -> OnnxClassifier:
    """Return the same classifier in int8."""
    return OnnxClassifier(onnx.quantised(exported.model), exported.tokens, name=NAME)


def gate(small: OnnxClassifier, full: OnnxClassifier, valid: Texts) -> Gate:
    """Compare both on the validation texts."""
    ours, theirs = (each.predict(valid.texts).argmax(axis=1) for each in (small, full))  # (N,)
    return Gate(
        agreement=float((ours == theirs).mean()),
        score=score(valid.labels, ours),
        full_score=score(valid.labels, theirs),
        measure=score_name(valid.labels),
        texts=len(valid),
        megabytes=len(small.model) / 1e6,
        full_megabytes=len(full.model) / 1e6,
    )
