"""A place for items without events: among the others by content, in trend by neighbours.

A source that knows items by their events cannot find a new one. Its vector is predicted from what
it is (genres, decade, words), by a ridge regression fitted on items with events,

    W = argmin sum_i w_i |v_i - W' x_i|^2 + strength |W|^2        w_i = events of item i

in closed form, the intercept free. The strength is the one that predicts held-out items best. A
ridge shrinks, and an inner product would then never prefer the predicted vectors: their length is
set to the `length` quantile of the known ones. What is expected of its popularity is the trend of
the most similar items, weighted by the cosine of contents:

    trend(x) = sum_{j near x} cos(x, x_j) trend_j / sum_{j near x} cos(x, x_j)

Sources: Gantner et al., Learning Attribute-to-Feature Mappings for Cold-Start Recommendations, ICDM
2010; Hoerl & Kennard 1970 (ridge).

Shapes: `N` items, `M` new ones, `F` columns of content, `D` dimensions.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np

from common.vectors import unit_rows

STRENGTHS = (0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)
FOLDS = 5
BLOCK = 1024
KEPT = (
    *("known_content_", "known_trend_", "center_", "map_", "bias_", "norm_", "strength_"),
    *("vectors_", "trend_", "new_", "neighbours"),
)
DECADE = 10


class ContentPlacement:
    """Ridge from content to a collaborative space, and the trend of similar items."""

    def __init__(
        self,
        *,
        strength: float | None = None,
        neighbours: int = 20,
        length: float = 0.75,
        seed: int = 0,
    ) -> None:
        """Take the ridge's strength; None chooses it on held-out items.

        A larger `length` quantile shows new items more, at the cost of known ones.
        """
        self.strength = strength
        self.neighbours = neighbours
        self.length = length
        self.seed = seed

    def fit(
        self, content: np.ndarray, vectors: np.ndarray, counts: np.ndarray, trend: np.ndarray
    ) -> Self:
        """Fit on items with events and place those without.

        `content` (N, F) has a row for every item, `vectors` (N, D) are the source's, `counts` (N,)
        the events of each item and `trend` (N,) its popularity of late; rows of `vectors` and
        `trend` whose count is 0 are not read.
        """
        known = np.flatnonzero(counts > 0)
        if len(known) < 2:
            raise ValueError(f"counts: {len(known)} items have events; placement learns from 2")
        self.known_content_ = content[known].astype(np.float64)
        self.known_trend_ = trend[known].astype(np.float64)
        weights = counts[known] / counts[known].mean()
        targets = vectors[known].astype(np.float64)
        if self.strength is None:
            self.errors_ = self._held_out_errors(self.known_content_, targets, weights)
            strength = min(self.errors_, key=self.errors_.__getitem__)
        else:
            self.errors_, strength = {}, self.strength
        self.strength_ = strength
        self.center_, self.map_, self.bias_ = _ridge(
            self.known_content_, targets, weights, strength
        )
        self.norm_ = float(np.quantile(np.linalg.norm(targets, axis=1), self.length))
        self.new_ = new = np.flatnonzero(counts <= 0)  # (M,)
        self.vectors_ = np.array(vectors, dtype=np.float32)  # (N, D)
        self.vectors_[new] = self.place(content[new])
        self.trend_ = np.array(trend, dtype=np.float32)  # (N,)
        self.trend_[new] = self.expect(content[new])
        return self

    def place(self, content: np.ndarray) -> np.ndarray:
        """Return the vectors (M, D) of new items by their content (M, F)."""
        predicted = (content - self.center_) @ self.map_ + self.bias_
        return (self.norm_ * unit_rows(predicted)).astype(np.float32)

    def expect(self, content: np.ndarray) -> np.ndarray:
        """Return the trend (M,) expected of new items; without any similarity the mean trend."""
        known = unit_rows(self.known_content_)
        count = min(self.neighbours, len(known))
        expected = np.empty(len(content), dtype=np.float32)
        for start in range(0, len(content), BLOCK):
            cosine = np.maximum(unit_rows(content[start : start + BLOCK]) @ known.T, 0.0)
            near = np.argpartition(-cosine, count - 1, axis=1)[:, :count]  # (block, neighbours)
            weight = np.take_along_axis(cosine, near, axis=1)
            total = weight.sum(axis=1)
            mean = (weight * self.known_trend_[near]).sum(axis=1) / np.maximum(total, 1e-12)
            some = np.where(total > 0, mean, self.known_trend_.mean())
            expected[start : start + BLOCK] = some
        return expected

    def _held_out_errors(
        self, content: np.ndarray, targets: np.ndarray, weights: np.ndarray
    ) -> dict[float, float]:
        """Return the weighted squared error on items held out in turn, by strength."""
        fold = np.random.default_rng(self.seed).permutation(len(content)) % min(FOLDS, len(content))
        errors = dict.fromkeys(STRENGTHS, 0.0)
        for each in range(int(fold.max()) + 1):
            rest, held = fold != each, fold == each
            for strength in STRENGTHS:
                center, slope, bias = _ridge(content[rest], targets[rest], weights[rest], strength)
                missed = (content[held] - center) @ slope + bias - targets[held]
                errors[strength] += float(weights[held] @ (missed**2).sum(axis=1))
        return errors

    def save(self, folder: Path) -> None:
        """Write the map, the placed vectors and what the neighbours need."""
        arrays: dict[str, Any] = {name: np.asarray(getattr(self, name)) for name in KEPT}
        np.savez(folder / "placement.npz", **arrays)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        stage = cls()
        with np.load(folder / "placement.npz") as arrays:
            for name in arrays.files:
                value = arrays[name]
                setattr(stage, name, value if value.ndim else value.item())
        return stage


def item_content(
    genres: np.ndarray, years: np.ndarray, text: np.ndarray | None = None
) -> np.ndarray:
    """Join genres (N, G), the decade of `years` (N,), NaN unknown, and text vectors: (N, F).

    Genres are scaled to unit length and decades to length 1, so that each counts once; text should
    be of unit length too, such as TF-IDF reduced to a few hundred dimensions.
    """
    decade = np.floor(years / DECADE)
    decades = np.unique(decade[~np.isnan(decade)])
    parts = [unit_rows(genres), decade[:, None] == decades[None]]
    if text is not None:
        parts.append(text)
    return np.concatenate([part.astype(np.float32) for part in parts], axis=1)


def _ridge(
    content: np.ndarray, targets: np.ndarray, weights: np.ndarray, strength: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the center (F,), the map (F, D) and the intercept (D,) of a weighted ridge."""
    center = np.average(content, axis=0, weights=weights)
    bias = np.average(targets, axis=0, weights=weights)
    inner = content - center
    weighted = inner * weights[:, None]
    gram = weighted.T @ inner + strength * np.eye(content.shape[1])
    return center, np.linalg.solve(gram, weighted.T @ (targets - bias)), bias
