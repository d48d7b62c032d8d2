"""What abstention buys: how good the answers are that are still given, as fewer are."""

from __future__ import annotations

import numpy as np

from common.evaluation.report import Row, Table, Value
from patterns.nlp.qa.evaluation.end_to_end import Retrieved
from patterns.nlp.qa.stages.abstention import RIGHT

COVERAGES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.3)


def coverage_curve(confidence: np.ndarray, f1: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the share answered (N,), and the mean F1 of the surest questions up to there (N,)."""
    order = np.argsort(-confidence, kind="stable")
    counts = np.arange(1, len(order) + 1)
    return counts / max(1, len(order)), np.cumsum(f1[order]) / counts


def abstention_table(found: Retrieved, threshold: float) -> Table:
    """Give the F1 of what is answered at falling coverage, and at the threshold that serves."""
    f1, sure = found.unasked.said.f1, found.confidence
    order = np.argsort(-sure, kind="stable")
    rows = []
    for share in COVERAGES:
        kept = np.zeros(len(f1), bool)
        kept[order[: max(1, round(share * len(f1)))]] = True
        rows.append(Row(f"the surest {share:.0%}", _values(f1, sure, kept), baseline=share == 1))
    kept = (sure >= threshold) & (sure > 0)
    rows.append(Row("served: threshold of validation", _values(f1, sure, kept)))
    caption = (
        "Answers from retrieved passages. Least confidence: of those that are given. Wrong: of all"
        " questions, answered with an F1 below half. Right withheld: of all questions, not answered"
        " though the answer would have had an F1 of half or more."
    )
    return Table("abstention", tuple(rows[0].values), tuple(rows), caption)


def _values(f1: np.ndarray, sure: np.ndarray, kept: np.ndarray) -> dict[str, Value]:
    right = f1 >= RIGHT
    some = bool(kept.any())
    return {
        "least confidence": float(sure[kept].min()) if some else None,
        "answered": float(kept.mean()),
        "F1 of answered": float(f1[kept].mean()) if some else None,
        "wrong": float((kept & ~right).mean()),
        "right withheld": float((~kept & right).mean()),
    }
