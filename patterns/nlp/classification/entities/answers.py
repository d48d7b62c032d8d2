"""What a caller is told of a text: its likeliest labels, and whether any label fits it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from common.probabilities import Answer


@dataclass(frozen=True)
class TextAnswer(Answer):
    """The likeliest labels, and the score that tells whether the text is in scope."""

    in_scope: bool
    scope_score: float


def with_scope(answers: Sequence[Answer], scores: np.ndarray, threshold: float) -> list[TextAnswer]:
    """Add to each answer its score (N,), and whether that reaches the threshold."""
    return [
        TextAnswer(each.labels, each.probabilities, bool(score >= threshold), float(score))
        for each, score in zip(answers, scores, strict=True)
    ]
