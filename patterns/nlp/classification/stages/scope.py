"""Out of scope: texts that none of the labels fits, told by how little the model recognises them.

A softmax must choose among its labels, whatever it is asked. A score of what lies below it says how
far a text is from those of training; higher is more familiar:

    max-probability   max_c p_c,  p = softmax(z)             Hendrycks & Gimpel 2017
    max-logit         max_c z_c                              Hendrycks et al. 2022
    energy            log Σ_c exp z_c                        Liu et al. 2020
    entropy           Σ_c p_c log p_c
    mahalanobis       − min_c (v − μ_c)ᵀ Σ⁻¹ (v − μ_c)       Lee et al. 2018; Podolskiy et al. 2021
    neighbours        mean cosine of v to its 3 nearest training texts         Sun et al. 2022
    combined          entropy / σ + neighbours / σ

with the mean μ_c of the training vectors of each label, one covariance Σ within all of them, and
the standard deviation σ of either score on the validation texts. The logits say how sure the model
is of one label, the neighbours whether it has seen anything like it; a text near to the border of
two labels is low in the first alone, one of a new label near to an old one often in the second
alone. Up to PER_LABEL training texts of each label are compared with.

No text out of scope is needed: the threshold is the score above which `keep` of the validation
texts lie, so that about 1 − keep of the texts in scope are turned away too.

Shapes: N texts, C labels, D dimensions of a vector, M training texts that are kept.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

import numpy as np

from common.atomic import write_json
from common.evaluation.classification import roc_auc
from common.probabilities import softmax
from common.vectors import unit_rows
from patterns.nlp.classification.entities.outputs import Outputs
from patterns.nlp.classification.entities.texts import Texts

FACTS, REFERENCE = "scope.json", "scope.npz"
OF_LOGITS = ("max-probability", "max-logit", "energy", "entropy")
OF_VECTORS = ("mahalanobis", "neighbours", "combined")
METHODS = OF_LOGITS + OF_VECTORS
USUAL, WITHOUT_VECTORS = "combined", "entropy"
NEAREST, PER_LABEL, MOST = 3, 40, 10_000
SHRINKAGE = 0.01  # of the covariance towards a sphere, so that it can be inverted


class Scope:
    """A score of familiarity and the threshold below which a text is out of scope."""

    def __init__(self, *, method: str = WITHOUT_VECTORS, keep: float = 0.95) -> None:
        if method not in METHODS:
            raise ValueError(f"method: {method!r} is not known; use one of {', '.join(METHODS)}")
        self.method, self.keep = method, keep
        self.threshold_ = -np.inf
        self.spreads_ = (1.0, 1.0)  # of entropy and neighbours on validation
        empty = np.zeros((0, 0), np.float32)
        self.reference_: dict[str, np.ndarray] = {
            "whitening": empty,  # (D, D), W with WᵀW = Σ⁻¹
            "centres": empty,  # (C, D), the means of the labels, whitened
            "seen": empty,  # (M, D), unit vectors of training texts
        }

    def fit(self, train: Outputs | None, labels: np.ndarray, valid: Outputs) -> Self:
        """Learn where training lies, if the method asks for that, and the threshold on validation.

        `labels` (M,) are those of `train`, which a method of logits alone may go without.
        """
        if self.method in OF_VECTORS:
            if train is None or train.vectors is None:
                raise ValueError(f"method: {self.method} needs vectors of an encoder; use energy")
            self._fit_reference(train.vectors, labels)
        if self.method == "combined":
            scores = (_entropy(valid.logits), self._neighbours(_vectors(valid)))
            first, second = (max(float(each.std()), 1e-9) for each in scores)
            self.spreads_ = (first, second)
        self.threshold_ = float(np.quantile(self.rate(valid), 1 - self.keep, method="lower"))
        return self

    def _fit_reference(self, vectors: np.ndarray, labels: np.ndarray) -> None:
        if self.method != "mahalanobis":
            self.reference_["seen"] = unit_rows(vectors).astype(np.float32)
            return
        names, own = np.unique(labels, return_inverse=True)
        means = np.stack([vectors[own == label].mean(axis=0) for label in range(len(names))])
        within = (vectors - means[own]).astype(np.float64)
        covariance = within.T @ within / len(within)  # (D, D)
        sphere = np.eye(len(covariance)) * max(np.trace(covariance) / len(covariance), 1e-12)
        inverse = np.linalg.inv((1 - SHRINKAGE) * covariance + SHRINKAGE * sphere)
        whitening = np.linalg.cholesky(inverse).T.astype(np.float32)
        self.reference_ |= {"whitening": whitening, "centres": means @ whitening.T}

    def rate(self, outputs: Outputs) -> np.ndarray:
        """Return the score (N,) of each text; higher is more familiar."""
        logits = np.asarray(outputs.logits, dtype=np.float64)
        if self.method == "max-probability":
            return softmax(logits).max(axis=1, initial=0.0)
        if self.method == "max-logit":
            return logits.max(axis=1, initial=-np.inf)
        if self.method == "energy":
            return np.logaddexp.reduce(logits, axis=1)
        if self.method == "entropy":
            return _entropy(logits)
        if self.method == "mahalanobis":
            return -self._distances(_vectors(outputs))
        near = self._neighbours(_vectors(outputs))
        if self.method == "neighbours":
            return near
        return _entropy(logits) / self.spreads_[0] + near / self.spreads_[1]

    def _distances(self, vectors: np.ndarray) -> np.ndarray:
        """Return the square distance (N,) to the nearest centre."""
        white = vectors @ self.reference_["whitening"].T  # (N, D)
        centres = self.reference_["centres"]
        squares = (white**2).sum(axis=1)[:, None] + (centres**2).sum(axis=1)[None, :]
        return (squares - 2 * white @ centres.T).min(axis=1).astype(np.float64)

    def _neighbours(self, vectors: np.ndarray) -> np.ndarray:
        """Return the mean cosine (N,) to the nearest training texts."""
        similarity = unit_rows(vectors) @ self.reference_["seen"].T  # (N, M)
        few = min(NEAREST, similarity.shape[1])
        nearest = np.partition(similarity, similarity.shape[1] - few, axis=1)[:, -few:]
        return nearest.mean(axis=1).astype(np.float64)

    def save(self, folder: Path) -> None:
        """Write the threshold, and where training lies."""
        threshold = self.threshold_ if np.isfinite(self.threshold_) else None
        facts = {
            "method": self.method, "keep": self.keep, "threshold": threshold,
            "spreads": list(self.spreads_),
        }  # fmt: skip
        write_json(folder / FACTS, facts)
        np.savez(folder / REFERENCE, **self.reference_)  # type: ignore[arg-type]

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        stage = cls(method=facts["method"], keep=facts["keep"])
        stage.threshold_ = -np.inf if facts["threshold"] is None else facts["threshold"]
        stage.spreads_ = (facts["spreads"][0], facts["spreads"][1])
        with np.load(folder / REFERENCE, allow_pickle=False) as arrays:
            stage.reference_ = {name: arrays[name] for name in stage.reference_}
        return stage


def fit_scopes(
    outputs: Callable[[Sequence[str]], Outputs],
    train: Texts,
    valid: Texts,
    unknown: Texts | None,
    *,
    method: str = "auto",
    keep: float = 0.95,
    seed: int = 0,
) -> tuple[Scope, Mapping[str, Scope], str | None]:
    """Fit the method asked for, and with texts out of scope to choose by all methods.

    "auto" is the one that tells those texts best from validation; without them `USUAL`, or
    `WITHOUT_VECTORS`. Returns the scope to use, all that were compared, and what must be said if
    the method cannot be had.
    """
    said = outputs(valid.texts)
    names = METHODS if said.vectors is not None else OF_LOGITS
    usual = USUAL if USUAL in names else WITHOUT_VECTORS
    wanted = method if method in names else usual
    notice = None
    if method not in (*names, "auto"):
        notice = f"{method} needs the vectors of an encoder, and none serves; {usual} stands in."
    compared = names if unknown is not None else (wanted,)
    rows = some_of_each(train.labels, seed=seed)
    seen = None
    if set(compared) & set(OF_VECTORS):
        seen = outputs([train.texts[row] for row in rows])
    scopes = {
        name: Scope(method=name, keep=keep).fit(seen, train.labels[rows], said) for name in compared
    }
    if unknown is None:
        return scopes[wanted], {}, notice
    strange = outputs(unknown.texts)
    reached = {name: separation(scope, said, strange) for name, scope in scopes.items()}
    best = max(reached, key=lambda name: reached[name]) if method == "auto" else wanted
    return scopes[best], scopes, notice


def some_of_each(labels: np.ndarray, *, seed: int) -> np.ndarray:
    """Draw up to PER_LABEL rows of each label, MOST in all."""
    order = np.random.default_rng(seed).permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]  # label by label
    _, counts = np.unique(labels, return_counts=True)
    most = max(1, min(PER_LABEL, MOST // len(counts)))
    place = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.sort(order[place < most])


def separation(scope: Scope, known: Outputs, unknown: Outputs) -> float:
    """Return the AUROC: how often a text in scope scores higher than one out of scope."""
    scores = [scope.rate(known), scope.rate(unknown)]
    inside = np.repeat([1, 0], [len(each) for each in scores])
    return roc_auc(inside, np.concatenate(scores))


def _entropy(logits: np.ndarray) -> np.ndarray:
    """Return Σ p log p (N,): the entropy with its sign changed, so that sure answers are high."""
    logits = np.asarray(logits, dtype=np.float64)
    logs = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    return (np.exp(logs) * logs).sum(axis=1)


def _vectors(outputs: Outputs) -> np.ndarray:
    assert outputs.vectors is not None, "fit would have raised"
    return outputs.vectors
