"""Whether the confidence of an entity can be believed, and what a threshold on it buys.

Shapes: M said entities.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from common.evaluation.calibration import expected_calibration_error
from common.evaluation.report import Row, Table
from common.evaluation.spans import Span, counts
from patterns.nlp.ner.evaluation.answers import Answers
from patterns.nlp.ner.pipeline import Pipeline

THRESHOLDS = (0.0, 0.3, 0.5, 0.7, 0.9)


@dataclass(frozen=True)
class Confident:
    """Of each said entity: its sentence, its place there, its confidence, whether it is right."""

    row: np.ndarray
    place: np.ndarray
    confidence: np.ndarray
    right: np.ndarray

    def __len__(self) -> int:
        return len(self.row)


def confident(pipeline: Pipeline, answers: Answers) -> Confident:
    """Return the confidence of all entities of what serves."""
    assert pipeline.served_ is not None
    decoder = pipeline.served_.decoder_
    found = [
        (row, place, confidence, span in answers.true[row])
        for row, said in enumerate(answers.final)
        for place, (span, confidence) in enumerate(
            zip(said, decoder.confidences(answers.scores[row], said), strict=True)
        )
    ]
    columns = zip(*found, strict=True) if found else ((), (), (), ())
    row, place, confidence, right = (np.array(list(each)) for each in columns)
    return Confident(row.astype(int), place.astype(int), confidence, right.astype(int))


def thresholds(answers: Answers, sure: Confident) -> Table:
    """Give precision and recall of the entities at or above some thresholds."""
    rows = []
    for threshold in THRESHOLDS:
        kept: list[list[Span]] = [[] for _ in answers.final]
        for row, place, confidence in zip(sure.row, sure.place, sure.confidence, strict=True):
            if confidence >= threshold:
                kept[row].append(answers.final[row][place])
        found = counts(answers.true, kept)
        values = {
            "precision": found.precision,
            "recall": found.recall,
            "F1": found.f1,
            "entities": float(found.said.sum()),
        }
        rows.append(Row(f"at least {threshold:g}" if threshold else "all", values))
    error = expected_calibration_error(sure.right, sure.confidence) if len(sure) else 0.0
    caption = (
        "Entities that are kept if the caller asks for this much confidence; expected calibration"
        f" error {error:.3f}."
    )
    return Table("confidence", ("precision", "recall", "F1", "entities"), tuple(rows), caption)
