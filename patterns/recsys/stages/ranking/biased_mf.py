"""Biased matrix factorisation of explicit ratings: mean, biases of both sides, and a match.

    r_ui = mu + b_u + b_i + x_u . y_i + noise,    b, x, y ~ N(0, s2 / lambda),  noise ~ N(0, s2)

Given the items, each user is a small ridge regression on the rows f_i = [1, y_i], and given the
users each item one. Alternating least squares takes the other side for certain and overfits whoever
has few ratings; here each half step also carries how uncertain the other side still is, C_i:

    A_u = sum_i (f_i f_i' + C_i) + diag(lambda),   C_u = s2 A_u^-1,
    [b_u, x_u] = A_u^-1 sum_i (f_i (r_ui - mu - b_i) - cov(f_i, b_i))

With `noise=0` the C vanish and this is plain ALS. All systems of a side are summed by one sparse
product and solved in one batch.

Source: Koren, Bell & Volinsky, IEEE Computer 42(8), 2009, for the model; Lim & Teh, Variational
Bayesian Approach to Movie Rating Prediction, KDD Cup 2007, for the step. Variances are given here,
not learned.

Shapes: `E` ratings, `U` users, `N` items, `D` factors, `M` = (D + 1)(D + 2) / 2 entries of a
symmetric matrix over [bias, factors].
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

SMALL = 0.1  # deviation of the first factors: at zero they would stay there


class BiasedMF:
    """Predicts the rating a user would give; users and items without ratings get the mean."""

    def __init__(
        self,
        *,
        factors: int = 32,
        regularization: float = 6.0,
        bias_regularization: float = 4.0,
        noise: float = 0.7,
        iterations: int = 20,
        seed: int = 0,
    ) -> None:
        """Take lambda of factors and of biases, and s2 as a share of the ratings' variance."""
        self.factors = factors
        self.regularization = regularization
        self.bias_regularization = bias_regularization
        self.noise = noise
        self.iterations = iterations
        self.seed = seed

    def fit(
        self, users: np.ndarray, items: np.ndarray, ratings: np.ndarray, *, shape: tuple[int, int]
    ) -> BiasedMF:
        """Learn from ratings (E,) of `users` (E,) for `items` (E,); `shape` is (U, N).

        A pair rated twice counts twice.
        """
        from scipy.sparse import csr_matrix

        _check(users, items, ratings, shape)
        ratings = ratings.astype(np.float64)
        self.mean_ = float(ratings.mean())
        self.range_ = float(ratings.min()), float(ratings.max())
        self.noise_variance_ = self.noise * float(ratings.var())
        pairs = csr_matrix((np.ones(len(ratings)), (users, items)), shape=shape)
        sums = csr_matrix((ratings - self.mean_, (users, items)), shape=shape)
        rng = np.random.default_rng(self.seed)
        self.items_ = np.zeros((shape[1], self.factors + 1))  # (N, D + 1), bias first
        self.items_[:, 1:] = SMALL * rng.normal(size=(shape[1], self.factors))
        self.spread_ = np.zeros((shape[1], _entries(self.factors)))  # (N, M)
        backward, sums_of_items = pairs.T.tocsr(), sums.T.tocsr()
        for _ in range(self.iterations):
            self.users_, spread = self._half(pairs, sums, self.items_, self.spread_)
            self.items_, self.spread_ = self._half(backward, sums_of_items, self.users_, spread)
        return self

    def predict(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Predict ratings (E,) within the range of those learned from; -1 is an unknown id."""
        return self._rate(_rows(self.users_, users), items)

    def save(self, folder: Path) -> None:
        """Write the vectors of both sides and their moments, as npz."""
        np.savez(
            folder / "biased_mf.npz",
            users=self.users_,
            items=self.items_,
            scalars=[self.mean_, *self.range_],
            regularization=[self.regularization, self.bias_regularization],
        )

    @classmethod
    def load(cls, folder: Path) -> BiasedMF:
        """Read what `save` wrote."""
        with np.load(folder / "biased_mf.npz") as arrays:
            factors = arrays["items"].shape[1] - 1
            regularization, bias_regularization = arrays["regularization"].tolist()
            model = cls(
                factors=factors,
                regularization=regularization,
                bias_regularization=bias_regularization,
            )
            model.users_, model.items_ = arrays["users"], arrays["items"]
            model.mean_, *bounds = arrays["scalars"].tolist()
        model.range_ = bounds[0], bounds[1]
        return model

    def _rate(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Rate `items` (E,) by the vectors `users` (E, D + 1)."""
        other = _rows(self.items_, items)
        rating = self.mean_ + users[:, 0] + other[:, 0]
        rating += np.einsum("ed,ed->e", users[:, 1:], other[:, 1:])
        return rating.clip(*self.range_)

    def _half(
        self, pairs: csr_matrix, sums: csr_matrix, other: np.ndarray, spread: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Solve one side given the `other`: vectors (U, D + 1) and their covariances (U, M)."""
        size = self.factors + 1
        above = np.triu_indices(size)
        rows = other.copy()
        rows[:, 0] = 1.0  # f = [1, y]
        own = spread.copy()
        own[:, :size] = 0.0  # row 0 of the covariance: the 1 of f is certain
        packed = pairs @ (rows[:, above[0]] * rows[:, above[1]] + own)  # (U, M)
        systems = np.empty((len(packed), size, size))
        systems[:, above[0], above[1]] = systems[:, above[1], above[0]] = packed
        systems += np.diag([self.bias_regularization, *[self.regularization] * self.factors])
        covariance = spread[:, :size].copy()
        covariance[:, 0] = 0.0  # covariance of f and b: none for the 1 of f
        target = sums @ rows - pairs @ (rows * other[:, :1] + covariance)  # (U, D + 1)
        inverse = np.linalg.inv(systems)
        vectors = np.einsum("uab,ub->ua", inverse, target)
        return vectors, self.noise_variance_ * inverse[:, above[0], above[1]]


def _entries(factors: int) -> int:
    return (factors + 1) * (factors + 2) // 2


def _rows(vectors: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Return the vectors of `ids`; nothing is known of -1."""
    return np.where((ids < 0)[:, None], 0.0, vectors[ids])


def _check(
    users: np.ndarray, items: np.ndarray, ratings: np.ndarray, shape: tuple[int, int]
) -> None:
    if not len(users) == len(items) == len(ratings) > 0:
        raise ValueError(
            f"ratings: {len(users)} users, {len(items)} items and {len(ratings)} ratings; give one"
            " user and one item for each rating, and at least one"
        )
    if not np.isfinite(ratings).all():
        raise ValueError("ratings: some are NaN or infinite; leave rows without a rating out")
    for name, ids, size in (("users", users, shape[0]), ("items", items, shape[1])):
        if ids.min() < 0 or ids.max() >= size:
            raise ValueError(
                f"{name}: ids run from {ids.min()} to {ids.max()}; give row numbers from 0 to"
                f" {size - 1}, or a larger shape"
            )
