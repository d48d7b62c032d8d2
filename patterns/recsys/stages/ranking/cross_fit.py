"""Fitting a ranker on all users while judging it on users it has not seen.

Whole users are held out in turn. The scores that come together so are what every choice is made on:
which ranker serves, how objectives are weighed, how much diversity may cost. The ranker that goes
out then learns from all users, for as long as was best on average.

Shapes: `B` requests, `K` candidates.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from patterns.recsys.stages.ranking.examples import Examples
from patterns.recsys.stages.ranking.neural import NeuralRanker


def cross_fit(
    ranker: Any,
    examples: Examples,
    folds: np.ndarray,
    *,
    learned: tuple[Examples, np.ndarray] | None = None,
    checkpoints: Path | None = None,
    resume: bool = False,
) -> np.ndarray:
    """Score each request (B, K) by a ranker fitted on the other `folds` (B,); then fit it on all.

    With `learned`, other examples and their folds, it learns from those and is judged on these.
    Neural rankers leave checkpoints in a folder of each fold.
    """
    scores = np.full(examples.item_ids.shape, -np.inf, dtype=np.float32)
    lengths = []
    lessons, their_folds = learned or (examples, folds)

    def options(name: str) -> dict[str, Any]:
        if checkpoints is None or not isinstance(ranker, NeuralRanker):
            return {}
        return {"checkpoint": checkpoints / ranker.name / name, "resume": resume}

    for fold in np.unique(folds):
        rows, held = np.flatnonzero(their_folds != fold), np.flatnonzero(folds == fold)
        ranker.fit(lessons.part(rows), examples.part(held), **options(f"fold-{fold}"))
        scores[held] = ranker.score(examples.features[held], examples.item_ids[held])
        lengths.append(ranker.length_)
    ranker.fit(lessons, length=max(1, round(float(np.mean(lengths)))), **options("all"))
    return scores
