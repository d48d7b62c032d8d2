"""Out of scope: texts that none of the labels fits, told by how little the model recognises them.

A softmax must choose among its labels, whatever it is asked. A score of what lies below it says how
far a text is from those of training; higher is more familiar:

    max-probability   max_c softmax(z)_c                     Hendrycks & Gimpel 2017
    max-logit         max_c z_c                              Hendrycks et al. 2022
    energy            log Σ_c exp z_c                        Liu et al. 2020
    mahalanobis       − min_c (v − μ_c)ᵀ Σ⁻¹ (v − μ_c)       Lee et al. 2018; Podolskiy et al. 2021

with the mean μ_c of the training vectors of each label and one covariance Σ within all of them. No
text out of scope is needed: the threshold is the score above which `keep` of the validation texts
lie, so that about 1 − keep of the texts in scope are turned away too. Raising `keep` turns away
fewer of both.

Shapes: N texts, C labels, D dimensions of a vector.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

import numpy as np

from common.atomic import write_json
from common.evaluation.classification import roc_auc
from common.probabilities import softmax
from patterns.nlp.classification.entities.outputs import Outputs
from patterns.nlp.classification.entities.texts import Texts

FACTS, REFERENCE = "scope.json", "scope.npz"
METHODS = ("max-probability", "max-logit", "energy", "mahalanobis")
OF_VECTORS = ("mahalanobis",)
USUAL = "energy"
SHRINKAGE = 0.01  # of the covariance towards a sphere, so that it can be inverted


class Scope:
    """A score of familiarity and the threshold below which a text is out of scope."""

    def __init__(self, *, method: str = "energy", keep: float = 0.95) -> None:
        if method not in METHODS:
            raise ValueError(f"method: {method!r} is not known; use one of {', '.join(METHODS)}")
        self.method, self.keep = method, keep
        self.threshold_ = -np.inf
        self.whitening_ = np.zeros((0, 0))  # (D, D), W with WᵀW = Σ⁻¹
        self.centres_ = np.zeros((0, 0))  # (C, D), the means of the labels, whitened

    def fit(self, train: Outputs | None, labels: np.ndarray, valid: Outputs) -> Self:
        """Learn where training lies, if the method asks for that, and the threshold on validation.

        `labels` (N,) are those of `train`, which a method of logits alone may go without.
        """
        if self.method in OF_VECTORS:
            if train is None or train.vectors is None:
                raise ValueError(
                    f"method: {self.method} needs the vectors of an encoder; use energy"
                )
            self._fit_centres(train.vectors, labels)
        self.threshold_ = float(np.quantile(self.rate(valid), 1 - self.keep, method="lower"))
        return self

    def _fit_centres(self, vectors: np.ndarray, labels: np.ndarray) -> None:
        names, own = np.unique(labels, return_inverse=True)
        means = np.stack([vectors[own == label].mean(axis=0) for label in range(len(names))])
        within = (vectors - means[own]).astype(np.float64)
        covariance = within.T @ within / len(within)  # (D, D)
        sphere = np.eye(len(covariance)) * max(np.trace(covariance) / len(covariance), 1e-12)
        inverse = np.linalg.inv((1 - SHRINKAGE) * covariance + SHRINKAGE * sphere)
        self.whitening_ = np.linalg.cholesky(inverse).T.astype(np.float32)
        self.centres_ = (means @ self.whitening_.T).astype(np.float32)

    def rate(self, outputs: Outputs) -> np.ndarray:
        """Return the score (N,) of each text; higher is more familiar."""
        logits = np.asarray(outputs.logits, dtype=np.float64)
        if self.method == "max-probability":
            return softmax(logits).max(axis=1, initial=0.0)
        if self.method == "max-logit":
            return logits.max(axis=1, initial=-np.inf)
        if self.method == "energy":
            return np.logaddexp.reduce(logits, axis=1)
        assert outputs.vectors is not None, "fit would have raised"
        return -self._distances(outputs.vectors)

    def _distances(self, vectors: np.ndarray) -> np.ndarray:
        """Return the square distance (N,) to the nearest centre."""
        white = vectors @ self.whitening_.T  # (N, D)
        squares = (white**2).sum(axis=1)[:, None] + (self.centres_**2).sum(axis=1)[None, :]
        return (squares - 2 * white @ self.centres_.T).min(axis=1).astype(np.float64)

    def save(self, folder: Path) -> None:
        """Write the threshold, and where training lies."""
        threshold = self.threshold_ if np.isfinite(self.threshold_) else None
        facts = {"method": self.method, "keep": self.keep, "threshold": threshold}
        write_json(folder / FACTS, facts)
        np.savez(folder / REFERENCE, whitening=self.whitening_, centres=self.centres_)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        stage = cls(method=facts["method"], keep=facts["keep"])
        stage.threshold_ = -np.inf if facts["threshold"] is None else facts["threshold"]
        with np.load(folder / REFERENCE, allow_pickle=False) as arrays:
            stage.whitening_, stage.centres_ = arrays["whitening"], arrays["centres"]
        return stage


def fit_scopes(
    outputs: Callable[[Sequence[str]], Outputs],
    train: Texts,
    valid: Texts,
    unknown: Texts | None,
    *,
    method: str = "auto",
    keep: float = 0.95,
) -> tuple[Scope, dict[str, Scope], str | None]:
    """Fit the method asked for, and with texts out of scope to choose by all methods.

    "auto" is the one that tells those texts best from validation, or `USUAL` without them. Returns
    the scope to use, all that were fitted, and what must be said if the method cannot be had.
    """
    said, wanted = outputs(valid.texts), USUAL if method == "auto" else method
    notice = None
    if wanted in OF_VECTORS and said.vectors is None:
        notice = f"{wanted} needs the vectors of an encoder, and none serves; {USUAL} stands in."
        wanted = USUAL
    names = [name for name in METHODS if said.vectors is not None or name not in OF_VECTORS]
    compared = names if unknown is not None else [wanted]
    learn = any(name in OF_VECTORS for name in compared)
    trained = outputs(train.texts) if learn else None
    scopes = {
        name: Scope(method=name, keep=keep).fit(trained, train.labels, said) for name in compared
    }
    if unknown is None:
        return scopes[wanted], {}, notice
    strange = outputs(unknown.texts)
    reached = {name: separation(scope, said, strange) for name, scope in scopes.items()}
    best = max(reached, key=lambda name: reached[name]) if method == "auto" else wanted
    return scopes[best], scopes, notice


def separation(scope: Scope, known: Outputs, unknown: Outputs) -> float:
    """Return the AUROC: how often a text in scope scores higher than one out of scope."""
    scores = [scope.rate(known), scope.rate(unknown)]
    inside = np.repeat([1, 0], [len(each) for each in scores])
    return roc_auc(inside, np.concatenate(scores))
