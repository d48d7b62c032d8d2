"""How published protocols cut the data: what is known, what may be ranked, and what is right.

    leave_one_out     of every user a given item, ranked among given items the user never met
    random_quarter    of every user a random quarter, the whole catalogue ranked without the rest

Each returns validation, cut out of the training part in the same way, and test.

Shapes: `U` users, `N` items, `K` candidates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from common.evaluation import ranking
from common.retrieval import MISSING, ordered
from patterns.recsys.entities.requests import RECENT, Requests

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from data.tables import Interactions

AT = 10
HELD_OUT = 0.25  # of each user's items, random_quarter
NEGATIVES = 99


@dataclass(frozen=True)
class Problem:
    """What is known, what may be ranked, and what is right."""

    seen: csr_matrix  # (U, N)
    candidates: np.ndarray  # (U, K), -1 padded
    answers: csr_matrix | None  # (U, N); None where the last candidate is the only answer

    def requests(self) -> Requests:
        """Return a request of each user, of whom the history alone is known."""
        users = self.seen.shape[0]
        nobody = np.zeros((users, 1), dtype=np.int64)
        recent = np.full((users, RECENT), MISSING)
        return Requests(nobody, np.zeros(users, np.int64), recent, self.seen)

    def judge(self, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return relevance (U, 10) of the best by `scores` (U, K), and the answers' number (U,).

        A single answer loses ties. Its rank is counted, not looked up, because the published
        negatives hold some items twice.
        """
        if self.answers is None:
            above = (scores[:, :-1] >= scores[:, -1:]).sum(axis=1)
            return (above[:, None] == np.arange(AT)).astype(float), np.ones(len(above), np.int64)
        found = ordered(self.candidates, scores).item_ids[:, :AT]
        judged = ranking.judge(found, self.answers)
        return judged.relevance, judged.total_relevant

    def ndcg(self, scores: np.ndarray) -> np.ndarray:
        """Return NDCG@10 of each user (U,)."""
        relevance, total = self.judge(scores)
        return ranking.ndcg(relevance, total, AT)


def leave_one_out(table: Interactions, seed: int) -> tuple[Problem, Problem]:
    """Return validation, whose answers and 99 others are drawn, and test, where both are given."""
    missing = {"ncf_test", "ncf_negatives"} - set(table.extra)
    if missing:
        raise ValueError(f"{table.source.name}: no {sorted(missing)[0]}; fetch its NCF files too")
    items = table.interactions["item_id"].unique(maintain_order=True)
    every = matrix_of(table.interactions, items)
    test, negatives = table.extra["ncf_test"], table.extra["ncf_negatives"]
    held = _codes(test["item_id"], items)[np.argsort(_rows(test))]
    given = _codes(negatives["item_ids"].explode(), items).reshape(len(held), -1)
    given = given[np.argsort(_rows(negatives))]
    known = _without(every, held)
    rng = np.random.default_rng(seed)
    starts, counts = known.indptr[:-1], np.diff(known.indptr)
    drawn = known.indices[starts + rng.integers(counts)]
    others = _unseen(every, rng)
    return (
        Problem(_without(known, drawn), _answer_last(others, drawn), None),
        Problem(known, _answer_last(given, held), None),
    )


def random_quarter(table: Interactions, seed: int) -> tuple[Problem, Problem]:
    """Return validation and test, each a random quarter of what was known of every user."""
    every = matrix_of(table.interactions, table.items["item_id"])
    rng = np.random.default_rng(seed)
    known, held = _cut(every, rng)
    inner, inner_held = _cut(known, rng)
    return _whole(inner, inner_held), _whole(known, held)


def matrix_of(
    interactions: pl.DataFrame, items: pl.Series, values: pl.Series | None = None
) -> csr_matrix:
    """Return 1, or `values`, for each pair of users, numbered by their ids less 1, and `items`."""
    from scipy.sparse import csr_matrix

    rows, columns = _rows(interactions), _codes(interactions["item_id"], items)
    cells = np.ones(len(rows)) if values is None else values.to_numpy()
    shape = (int(rows.max()) + 1, len(items))
    return csr_matrix((cells.astype(np.float32), (rows, columns)), shape=shape)


def _rows(frame: pl.DataFrame) -> np.ndarray:
    return frame["user_id"].cast(pl.Int64).to_numpy() - 1


def _codes(values: pl.Series, items: pl.Series) -> np.ndarray:
    codes = pl.DataFrame({"item": items}).with_row_index("code")
    frame = pl.DataFrame({"item": values}).join(codes, on="item", how="left", maintain_order="left")
    return frame["code"].to_numpy().astype(np.int64)


def _without(matrix: csr_matrix, columns: np.ndarray) -> csr_matrix:
    """Take one column (U,) out of each row."""
    from scipy.sparse import csr_matrix

    ones = np.ones(len(columns), dtype=np.float32)
    left = matrix - csr_matrix((ones, (np.arange(len(columns)), columns)), shape=matrix.shape)
    left.eliminate_zeros()
    return left.tocsr()


def _unseen(every: csr_matrix, rng: np.random.Generator) -> np.ndarray:
    """Draw `NEGATIVES` items (U, 99) that each user never met, without repeats."""
    keys = rng.random(every.shape)
    keys[every.nonzero()] = np.inf
    return np.argpartition(keys, NEGATIVES, axis=1)[:, :NEGATIVES]


def _answer_last(others: np.ndarray, answers: np.ndarray) -> np.ndarray:
    return np.concatenate([others, answers[:, None]], axis=1)


def _cut(every: csr_matrix, rng: np.random.Generator) -> tuple[csr_matrix, csr_matrix]:
    """Hold out a random `HELD_OUT` of each row, rounded."""
    rows = np.repeat(np.arange(every.shape[0]), np.diff(every.indptr))
    order = np.lexsort((rng.random(every.nnz), rows))
    places = np.arange(every.nnz) - every.indptr[rows]
    held = np.zeros(every.nnz, dtype=bool)
    held[order] = places < np.round(HELD_OUT * np.diff(every.indptr))[rows]
    parts = []
    for mask in (~held, held):
        part = every.copy()
        part.data = part.data * mask
        part.eliminate_zeros()
        parts.append(part)
    return parts[0], parts[1]


def _whole(seen: csr_matrix, answers: csr_matrix) -> Problem:
    """Rank all that a user does not have."""
    candidates = np.tile(np.arange(seen.shape[1]), (seen.shape[0], 1))
    candidates[seen.nonzero()] = MISSING
    return Problem(seen, candidates, answers)
