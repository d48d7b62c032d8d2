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
    Rankers that keep checkpoints leave them in a folder of each fold.
    """
    scores = np.full(examples.real.shape, -np.inf, dtype=np.float32)
    lengths = []
    own, own_folds = learned or (examples, folds)

    def options(name: str) -> dict[str, Any]:
        if checkpoints is None or not ranker.keeps_checkpoints:
            return {}
        return {"checkpoint": checkpoints / ranker.name / name, "resume": resume}

    for fold in np.unique(folds):
        rows = np.flatnonzero(own_folds != fold)
        held = np.flatnonzero(folds == fold)
        unseen = examples.part(held)
        ranker.fit(own.part(rows), unseen, **options(f"fold-{fold}"))
        scores[held] = ranker.score(unseen.features, unseen.codes, unseen.real)
        lengths.append(ranker.length_)
    ranker.fit(own, length=max(1, round(float(np.mean(lengths)))), **options("all"))
    return scores
