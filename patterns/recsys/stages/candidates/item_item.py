"""Neighbourhood methods: what is similar to a user's items, read off an item-item matrix.

    score(u, i) = sum over items j of the history of u of W[j, i]

There is no user vector, so any history is served at once, and the largest W[j, i] is the reason
("because you chose j"). Two ways to W:

ItemKNN   shrunk cosine of the items' columns x_j of the user-item matrix X,
          W[j, i] = x_j . x_i / (|x_j| |x_i| + shrinkage), of each i the `neighbours` largest kept
EASE      the linear model that predicts every column from all others, in closed form:
          min |X - X W|^2 + lambda |W|^2, diag W = 0;  P = (X'X + lambda I)^-1,  W = -P / diag(P)

EASE learns what the cosine cannot, that a neighbour's neighbour is already accounted for, at the
price of inverting an M x M matrix: it sees the `most` popular items only.

Sources: Sarwar et al., WWW 2001, with the shrinkage of Bell & Koren 2007; Steck, Embarrassingly
Shallow Autoencoders for Sparse Data, WWW 2019.

Shapes: `B` requests, `U` users, `N` items, `M` items that EASE sees, `K` candidates.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from common.retrieval import Candidates, top_k
from patterns.recsys.entities.requests import Requests
from patterns.recsys.stages.candidates.source import MatrixSource

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

BLOCK = 2048  # items, or requests, at a time
CELLS = 2**22  # values sorted at a time
NAMED = 2  # items in a reason


class ItemItem(MatrixSource):
    """What both share: retrieval and scores by `weights_` (N, N), from row j to column i."""

    explains = "history"
    weights_: csr_matrix | np.ndarray

    def retrieve(self, requests: Requests, k: int) -> Candidates:
        """Return the `k` unseen items of largest score; one without any weight never appears."""
        parts = []
        for start in range(0, max(len(requests), 1), BLOCK):
            rows = slice(start, start + BLOCK)
            scores = self.scores(requests.seen[rows])
            known = np.where(scores == 0, -np.inf, scores)
            parts.append(top_k(known, k, exclude=requests.barred[rows]))
        return Candidates.concatenate(parts)

    def scores(self, seen: csr_matrix) -> np.ndarray:
        """Score the whole catalogue (B, N) for histories `seen` (B, N)."""
        if seen.shape[0] == 1 and not isinstance(self.weights_, np.ndarray):
            return self._row(seen.indices, seen.data)[None]
        return _dense(seen @ self.weights_)

    def _row(self, items: np.ndarray, worth: np.ndarray) -> np.ndarray:
        """Add up the weights of `items` (n,), times their `worth`: (N,); quicker than a product."""
        weights: Any = self.weights_
        slices = [slice(*weights.indptr[item : item + 2]) for item in items]
        if not slices:
            return np.zeros(weights.shape[1], dtype=np.float32)
        columns = np.concatenate([weights.indices[each] for each in slices])
        values = np.concatenate(
            [weights.data[each] * value for each, value in zip(slices, worth, strict=True)]
        )
        return np.bincount(columns, values, weights.shape[1]).astype(np.float32)

    def score(self, requests: Requests, item_ids: np.ndarray) -> np.ndarray:
        """Score any items (B, K); padding scores 0."""
        values = np.empty(item_ids.shape, dtype=np.float32)
        for start in range(0, len(requests), BLOCK):
            rows = slice(start, start + BLOCK)
            scores = self.scores(requests.seen[rows])
            values[rows] = np.take_along_axis(scores, np.maximum(item_ids[rows], 0), axis=1)
        return np.where(item_ids < 0, 0.0, values).astype(np.float32)

    def because(
        self, request: Requests, item: int, titles: np.ndarray, *, proposed: bool
    ) -> str | None:
        """Name the items of the history with the largest weight."""
        items, _ = self.evidence(request.seen.indices, item)
        named = " and ".join(titles[row] for row in items[:NAMED])
        return f"because you chose {named}" if named else None

    def evidence(self, seen: np.ndarray, item: int) -> tuple[np.ndarray, np.ndarray]:
        """Return which of the items `seen` (n,) speak for `item`, strongest first, with weights."""
        weights = _dense(self.weights_[seen, item]).ravel()
        order = np.argsort(-weights, kind="stable")
        order = order[weights[order] > 0]
        return seen[order], weights[order]

    def similar(self, item: int, k: int) -> Candidates:
        """Return the `k` items that `item` speaks for most: (1, k)."""
        scores = _dense(self.weights_[item]).reshape(1, -1)
        return top_k(np.where(scores == 0, -np.inf, scores), k)

    def save(self, folder: Path) -> None:
        """Write the weights."""
        from scipy.sparse import csr_matrix

        weights = csr_matrix(self.weights_)
        np.savez(
            folder / f"{self.name}.npz",
            data=weights.data, indices=weights.indices, indptr=weights.indptr,
        )  # fmt: skip

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        from scipy.sparse import csr_matrix

        stage = cls()
        with np.load(folder / f"{cls.name}.npz") as arrays:
            size = len(arrays["indptr"]) - 1
            parts = (arrays["data"], arrays["indices"], arrays["indptr"])
            stage.weights_ = csr_matrix(parts, shape=(size, size))
        return stage


class ItemKNN(ItemItem):
    """Nearest neighbours by shrunk cosine."""

    name = "item-knn"

    def __init__(self, *, neighbours: int = 100, shrinkage: float = 10.0) -> None:
        self.neighbours = neighbours
        self.shrinkage = shrinkage

    def fit_matrix(self, seen: csr_matrix) -> Self:
        """Compare the columns of the user-item matrix `seen` (U, N) of 0 and 1."""
        from scipy.sparse import vstack

        columns = seen.T.tocsr()  # (N, U)
        norm = np.sqrt(np.asarray(columns.multiply(columns).sum(axis=1)).ravel())
        blocks = []
        for start in range(0, columns.shape[0], BLOCK):
            together = (columns[start : start + BLOCK] @ seen).tocoo()  # (block, N)
            scale = norm[start + together.row] * norm[together.col] + self.shrinkage
            together.data = together.data / scale
            together.data[together.row + start == together.col] = 0.0  # not its own neighbour
            blocks.append(_largest(together.tocsr(), self.neighbours))
        self.weights_ = vstack(blocks).T.tocsr()  # row j to column i, `neighbours` of each i
        return self


class EASE(ItemItem):
    """The closed-form linear autoencoder."""

    name = "ease"

    def __init__(
        self, *, regularization: float = 300.0, most: int = 8_000, neighbours: int | None = 300
    ) -> None:
        self.regularization = regularization
        self.most = most
        self.neighbours = neighbours
        """Weights of each item that are kept, the largest; None keeps all, as an array."""

    def fit_matrix(self, seen: csr_matrix) -> Self:
        """Solve for the user-item matrix `seen` (U, N) of 0 and 1."""
        from scipy.linalg import cho_factor, cho_solve
        from scipy.sparse import csr_matrix

        counts = np.asarray(seen.sum(axis=0)).ravel()
        known = np.sort(np.argsort(-counts, kind="stable")[: self.most])
        known = known[counts[known] > 0]
        columns = seen[:, known]
        gram = (columns.T @ columns).toarray()  # (M, M)
        gram[np.diag_indices_from(gram)] += self.regularization
        inverse = cho_solve(cho_factor(gram, overwrite_a=True), np.eye(len(gram), dtype=gram.dtype))
        weights = inverse / -np.diag(inverse)  # column i by its own diagonal
        np.fill_diagonal(weights, 0.0)
        if self.neighbours is None and len(known) == seen.shape[1]:
            self.weights_ = weights.astype(np.float32)
            return self
        if self.neighbours and self.neighbours < len(weights):
            size = np.abs(weights)
            floor = -np.partition(-size, self.neighbours - 1, axis=0)[self.neighbours - 1]
            weights[size < floor] = 0.0
        rows, places = np.nonzero(weights)
        parts = (weights[rows, places].astype(np.float32), (known[rows], known[places]))
        self.weights_ = csr_matrix(parts, shape=(seen.shape[1], seen.shape[1]))
        return self


def _dense(values: Any) -> np.ndarray:
    from scipy.sparse import issparse

    return np.asarray(values.toarray() if issparse(values) else values, dtype=np.float32)


def _largest(matrix: csr_matrix, keep: int) -> csr_matrix:
    """Keep the `keep` largest values above 0 of each row; among equals the lower columns."""
    from scipy.sparse import csr_matrix

    sizes, values = np.diff(matrix.indptr), matrix.data
    rows = np.repeat(np.arange(matrix.shape[0]), sizes)
    floor = _nth_largest(matrix, keep)
    kept = values > floor[rows]
    left = keep - np.bincount(rows[kept], minlength=matrix.shape[0])  # at the floor
    level = np.flatnonzero(values == floor[rows])
    level = level[np.lexsort((matrix.indices[level], rows[level]))]
    first = np.searchsorted(rows[level], rows[level])
    kept[level] = np.arange(len(level)) - first < left[rows[level]]
    kept &= values > 0
    parts = (values[kept].astype(np.float32), (rows[kept], matrix.indices[kept]))
    return csr_matrix(parts, shape=matrix.shape)


def _nth_largest(matrix: csr_matrix, n: int) -> np.ndarray:
    """Return the n-th largest stored value of each row; -inf where a row has no more than n."""
    sizes = np.diff(matrix.indptr)
    found = np.full(matrix.shape[0], -np.inf, dtype=matrix.data.dtype)
    longer = np.flatnonzero(sizes > n)
    width = int(sizes.max(initial=0))
    step = max(1, CELLS // max(width, 1))
    for start in range(0, len(longer), step):
        rows = longer[start : start + step]
        places = np.arange(width) < sizes[rows, None]  # (rows, width)
        padded = np.full(places.shape, -np.inf, dtype=matrix.data.dtype)
        slices = [matrix.data[slice(*matrix.indptr[row : row + 2])] for row in rows]
        padded[places] = np.concatenate(slices)
        found[rows] = np.partition(padded, width - n, axis=1)[:, width - n]
    return found
