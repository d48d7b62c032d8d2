"""Queries: as people typed and judged them, and as the stages need them.

Shapes: B queries, M judged documents a query (-1 padded), K ranked documents, D vector width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from common.evaluation import ranking
from common.retrieval import MISSING, Candidates, ordered

GAIN: Literal["linear", "exponential"] = "linear"  # of a grade, trained and reported: trec_eval's


def _none() -> np.ndarray:
    return np.zeros(0, np.int64)


@dataclass(frozen=True)
class JudgedQueries:
    """Queries and the documents judged for each, as row numbers."""

    query_ids: tuple[str, ...]
    texts: tuple[str, ...]
    rows: np.ndarray  # (B, M) int64, -1 padded
    grades: np.ndarray  # (B, M) int8, 0 where padded
    own: np.ndarray = field(default_factory=_none)
    """(B,) row of the document that a query itself is, which it must not find; -1, the default,
    where there is none."""

    def __post_init__(self) -> None:
        if not len(self.own):
            object.__setattr__(self, "own", np.full(len(self.texts), MISSING, np.int64))

    def __len__(self) -> int:
        return len(self.texts)

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
        return ranking.ndcg(self.gains_of(item_ids), self.grades, k, gain=GAIN)

    def mean_ndcg(self, found: Candidates, k: int) -> float:
        """Return the mean NDCG@k of lists."""
        return float(self.ndcg_of(found.item_ids, k).mean())

    def recall_of(self, item_ids: np.ndarray, k: int) -> np.ndarray:
        """Score ranked documents (B, K) by Recall@k, (B,): the share of the relevant ones found."""
        hits = (self.gains_of(item_ids) > 0).astype(np.float32)
        return ranking.recall(hits, (self.grades > 0).sum(axis=1), k)

    def mean_recall(self, found: Candidates, k: int) -> float:
        """Return the mean Recall@k of lists."""
        return float(self.recall_of(found.item_ids, k).mean())

    def plainest(self) -> str:
        """Return a query to show: the first of letters, digits and spaces alone, else the first."""
        plain = (text for text in self.texts if text.replace(" ", "").isalnum())
        return next(plain, self.texts[0])

    @property
    def comparable(self) -> bool:
        """Tell whether any query has judged documents of two grades: only such can be ordered."""
        lowest = np.where(self.rows != MISSING, self.grades, 127).min(axis=1, initial=127)
        return bool((self.grades.max(axis=1, initial=0) > lowest).any())

    @property
    def relevant_only(self) -> bool:
        """Tell whether no document was judged not relevant."""
        return bool((self.grades[self.rows != MISSING] > 0).all())

    def part(self, members: np.ndarray | slice) -> JudgedQueries:
        """Return the queries at `members`: an index array, a mask or a slice."""
        places = np.arange(len(self))[members]
        return JudgedQueries(
            tuple(self.query_ids[place] for place in places),
            tuple(self.texts[place] for place in places),
            self.rows[places],
            self.grades[places],
            self.own[places],
        )

    def sample(self, most: int, seed: int) -> JudgedQueries:
        """Return at most so many of the queries, in their order."""
        return self.part(np.sort(np.random.default_rng(seed).permutation(len(self))[:most]))

    def narrow(self) -> JudgedQueries:
        """Return the same queries without columns of padding alone."""
        used = (self.rows != MISSING).any(axis=0)
        return replace(self, rows=self.rows[:, used], grades=self.grades[:, used])

    @classmethod
    def joined(cls, parts: Sequence[JudgedQueries]) -> JudgedQueries:
        """Put several sets of queries one behind the other."""
        width = max(part.rows.shape[1] for part in parts)
        wider = [((0, 0), (0, width - part.rows.shape[1])) for part in parts]
        pairs = list(zip(parts, wider, strict=True))
        return cls(
            sum((part.query_ids for part in parts), ()),
            sum((part.texts for part in parts), ()),
            np.concatenate(
                [np.pad(part.rows, pad, constant_values=MISSING) for part, pad in pairs]
            ),
            np.concatenate([np.pad(part.grades, pad) for part, pad in pairs]),
            np.concatenate([part.own for part in parts]),
        )


@dataclass(frozen=True)
class Queries:
    """Query texts with their vectors, which two stages need, and what they must not find."""

    texts: tuple[str, ...]
    vectors: np.ndarray  # (B, D)
    own: np.ndarray  # (B,) row of the document that the query is; -1 where there is none

    def __len__(self) -> int:
        return len(self.texts)

    def part(self, rows: slice) -> Queries:
        """Return the queries at `rows`."""
        return Queries(self.texts[rows], self.vectors[rows], self.own[rows])

    def blocks(self, size: int) -> list[slice]:
        """Cut the queries into blocks of `size`, so that their scores fit in memory."""
        return [slice(at, at + size) for at in range(0, len(self), size)]


def without_own(found: Candidates, own: np.ndarray, k: int) -> Candidates:
    """Return the first k of each list without the document that the query is: own (B,), -1 none."""
    if (own == MISSING).all():
        return found.head(k)
    kept = found.where(found.item_ids != own[:, None])
    return ordered(kept.item_ids, kept.scores).head(k)


def check_words(texts: Sequence[str]) -> None:
    """Raise `ValueError` for a query without a letter or digit."""
    for text in texts:
        if not any(letter.isalnum() for letter in text):
            raise ValueError(f"query: {text!r} has no word to search for; give one")
