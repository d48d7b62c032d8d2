"""Thresholds: from which score on an answer of a class is believed.

The threshold of a class is the score at which F1 on the validation images is highest:

    F1 = 2 · right / (detections + true boxes)          right: IoU of at least .5 with a free box

With it, a class that the network is timid about is not lost to one global number. A class that was
never found there keeps `default`.

Shapes: C classes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np

from common.atomic import write_json
from patterns.vision.detection.stages.postprocess import Detections, match


class Thresholds:
    """Least score of each class; `confidence` above 0 is taken for all of them instead."""

    def __init__(self, *, classes: int, confidence: float = 0.0, default: float = 0.25) -> None:
        self.classes, self.confidence, self.default = classes, confidence, default
        self.values_: np.ndarray = np.full(classes, confidence or default)  # (C,)

    def fit(
        self,
        found: Sequence[Detections],
        boxes: Sequence[np.ndarray],
        labels: Sequence[np.ndarray],
    ) -> Self:
        """Choose the scores on detections of validation images and the boxes that are there."""
        if not self.confidence:
            self.values_ = best_thresholds(
                found, boxes, labels, classes=self.classes, default=self.default
            )
        return self

    def select(self, found: Sequence[Detections]) -> list[Detections]:
        """Keep of each image what reaches the threshold of its class."""
        return [each.above(self.values_) for each in found]

    def save(self, folder: Path) -> None:
        """Write `thresholds.json`."""
        write_json(folder / "thresholds.json", {"values": self.values_.tolist()})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        values = json.loads((folder / "thresholds.json").read_text(encoding="utf-8"))["values"]
        thresholds = cls(classes=len(values))
        thresholds.values_ = np.array(values)
        return thresholds


def best_thresholds(
    found: Sequence[Detections],
    boxes: Sequence[np.ndarray],
    labels: Sequence[np.ndarray],
    *,
    classes: int,
    default: float = 0.25,
) -> np.ndarray:
    """Return the score of highest F1 of each class (C,); `default` where nothing was right."""
    hits = np.concatenate(
        [match(f, b, t) >= 0 for f, b, t in zip(found, boxes, labels, strict=True)]
    )
    scores = np.concatenate([each.scores for each in found])
    kinds = np.concatenate([each.labels for each in found])
    totals = np.bincount(np.concatenate(list(labels)), minlength=classes)
    thresholds = np.full(classes, default)
    for label in range(classes):
        rows = np.flatnonzero(kinds == label)
        rows = rows[np.argsort(-scores[rows], kind="stable")]
        if not hits[rows].any():
            continue
        right = np.cumsum(hits[rows])
        f1 = 2 * right / (np.arange(1, len(rows) + 1) + totals[label])
        thresholds[label] = scores[rows[f1.argmax()]]
    return thresholds
