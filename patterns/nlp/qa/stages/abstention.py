"""When to say nothing: how probable it is that an answer is right, and from where on to give it.

    p(right | margin) = 1 / (1 + exp(−(a · margin + b)))         Platt 1999
    worth(t) = mean over questions of   F1 − cost · (1 − F1)     where p ≥ t, an answer is given
                                        1                        where p < t and there is no answer
                                        0                        where p < t and there is one

The margin is by how much the best span beats not answering. a and b are fitted on validation, where
right means an F1 of half or more, and t is the one of greatest worth there; of equals the lowest.
With a cost of 0 that is SQuAD's own F1: it abstains only as far as the data has questions without
an answer. A cost above 0 is what a service pays for misleading somebody.

Shapes: N questions.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np

from common.atomic import write_json
from patterns.nlp.qa.entities.answers import Reading
from patterns.nlp.qa.entities.questions import Questions

FILE = "abstention.json"
RIGHT = 0.5  # F1 from which an answer counts as right
STEEPEST = 5.0  # a; separable margins would drive it without end
CLIP = 1e6


class Abstention:
    """A probability from a margin, and the least one to answer with."""

    def __init__(self, *, wrong_cost: float = 0.0) -> None:
        self.wrong_cost = wrong_cost
        self.slope_, self.intercept_, self.threshold_ = 1.0, 0.0, 0.0

    def fit(self, margins: np.ndarray, f1: np.ndarray, answerable: np.ndarray) -> Self:
        """Fit on margins (N,), the F1 of answering (N,) and whether there is an answer (N,)."""
        self._fit_probability(margins, f1 >= RIGHT)
        confidence = self.confidence(margins)
        given = f1 - self.wrong_cost * (1 - f1)
        withheld = np.where(answerable, 0.0, 1.0)
        best = -np.inf
        for threshold in (0.0, *np.unique(confidence).tolist(), 1.0 + 1e-9):
            worth = np.where(confidence >= threshold, given, withheld).mean()
            if worth > best + 1e-9:
                best, self.threshold_ = float(worth), float(threshold)
        return self

    def _fit_probability(self, margins: np.ndarray, right: np.ndarray) -> None:
        """Minimise the log loss; the slope is never negative, and a single class has none."""
        from scipy.optimize import minimize

        known = np.isfinite(margins)
        margins, right = margins[known], right[known]
        if not len(margins):
            return
        target = (right * len(right) + 1) / (len(right) + 2)  # Platt's, never 0 or 1
        if right.all() or not right.any():
            share = float(target.mean())
            self.slope_, self.intercept_ = 0.0, float(np.log(share / (1 - share)))
            return

        def loss(parameters: np.ndarray) -> float:
            z = parameters[0] * margins + parameters[1]
            return float(np.mean(np.logaddexp(0, z) - target * z))

        found = minimize(loss, np.array([0.5, 0.0]), bounds=[(0.0, STEEPEST), (-50.0, 50.0)])
        self.slope_, self.intercept_ = float(found.x[0]), float(found.x[1])

    def confidence(self, margins: np.ndarray) -> np.ndarray:
        """Return the probability of being right (N,); 0 where there is no span at all."""
        finite = np.clip(margins, -CLIP, CLIP)
        z = np.clip(self.slope_ * finite + self.intercept_, -500, 500)
        return np.where(np.isneginf(margins), 0.0, 1 / (1 + np.exp(-z)))

    def answers(self, confidence: np.ndarray) -> np.ndarray:
        """Tell which answers are given (N,)."""
        return (confidence >= self.threshold_) & (confidence > 0)

    def save(self, folder: Path) -> None:
        """Write what was found."""
        facts = {
            "wrong_cost": self.wrong_cost, "slope": self.slope_, "intercept": self.intercept_,
            "threshold": self.threshold_,
        }  # fmt: skip
        write_json(folder / FILE, facts)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        facts = json.loads((folder / FILE).read_text(encoding="utf-8"))
        stage = cls(wrong_cost=facts["wrong_cost"])
        stage.slope_, stage.intercept_ = facts["slope"], facts["intercept"]
        stage.threshold_ = facts["threshold"]
        return stage


def spoken(readings: Sequence[Reading], part: Questions) -> list[str]:
    """Return what is said before a threshold is fitted: each best span that beats not answering.

    Where every question of `part` has an answer, each best span.
    """
    always = all(each.answerable for each in part.questions)
    return [each.spans[0].text if each.spans and (always or each.margin > 0) else ""
            for each in readings]  # fmt: skip
