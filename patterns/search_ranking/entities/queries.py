"""Queries: as people typed and judged them, and as the stages need them.

Shapes: B queries, M judged documents a query (-1 padded), K ranked documents, D vector width.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from common.evaluation import ranking
from common.retrieval import MISSING


@dataclass(frozen=True)
class JudgedQueries:
    """Queries and the documents judged for each, as row numbers."""

    query_ids: tuple[str, ...]
    texts: tuple[str, ...]
    rows: np.ndarray  # (B, M) int64, -1 padded
    grades: np.ndarray  # (B, M) int8, 0 where padded

    def __len__(self) -> int:
        return len(self.texts)

    def relevant(self) -> list[np.ndarray]:
        """Return the rows of the relevant documents of each query; never empty."""
        return [rows[grades > 0] for rows, grades in zip(self.rows, self.grades, strict=True)]

    def gains_of(self, item_ids: np.ndarray, *, unjudged: float = 0.0) -> np.ndarray:
        """Return the grade of each ranked document (B, K); padding gets 0.

        `unjudged` stands for the grade of a document that nobody judged.
        """
        gains = np.zeros(item_ids.shape)
        for place, (rows, grades) in enumerate(zip(self.rows, self.grades, strict=True)):
            known = dict(zip(rows.tolist(), grades.tolist(), strict=True)) | {MISSING: 0}
            gains[place] = [known.get(item, unjudged) for item in item_ids[place].tolist()]
        return gains

    def ndcg_of(self, item_ids: np.ndarray, k: int) -> np.ndarray:
        """Score ranked documents (B, K) by NDCG@k, (B,); unjudged ones count as not relevant."""
        return ranking.ndcg(self.gains_of(item_ids), self.grades, k)

    def part(self, members: np.ndarray) -> JudgedQueries:
        """Return the queries at `members`, an index array or a mask."""
        places = np.arange(len(self))[members]
        return JudgedQueries(
            tuple(self.query_ids[place] for place in places),
            tuple(self.texts[place] for place in places),
            self.rows[places],
            self.grades[places],
        )


@dataclass(frozen=True)
class Queries:
    """Query texts with their vectors, which two stages need."""

    texts: tuple[str, ...]
    vectors: np.ndarray  # (B, D)

    def __len__(self) -> int:
        return len(self.texts)

    def part(self, rows: slice) -> Queries:
        """Return the queries at `rows`."""
        return Queries(self.texts[rows], self.vectors[rows])

    def blocks(self, size: int) -> list[slice]:
        """Cut the queries into blocks of `size`, so that their scores fit in memory."""
        return [slice(at, at + size) for at in range(0, len(self), size)]
