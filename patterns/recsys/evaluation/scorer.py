"""The metrics of one list against the answers, and against the truth where it is planted.

Shapes: `B` requests, `N` items.
"""

from __future__ import annotations

import numpy as np

from common.evaluation import ranking
from common.evaluation.bootstrap import interval
from common.evaluation.report import Estimate, Row
from common.retrieval import MISSING, Candidates
from patterns.recsys.data import Splits
from patterns.recsys.evaluation.asked import DEEP, Asked
from patterns.recsys.pipeline import Pipeline

COLUMNS = ("NDCG@10", "Recall@100", "Recall@500", "P@10", "R@10", "MRR", "ILS@10", "coverage@10",
           "novelty@10")  # fmt: skip
PAGE = 10
Cells = dict[str, float | Estimate | str | None]


class Scorer:
    """Scores lists of the asked requests."""

    def __init__(self, pipeline: Pipeline, asked: Asked, splits: Splits) -> None:
        self.answers, self.requests = asked.answers, asked.requests
        self.genres = pipeline.reranker.vectors_
        self.shares = pipeline.reranker.shares_
        self.items = len(self.genres)
        self.counts = pipeline.histories_.counts()
        self.users = int((pipeline.histories_.lengths() > 0).sum())
        self.seed = pipeline.seed
        self.truth = splits.truth
        self.liking = None if self.truth is None else self.truth.liking(self.requests)  # (B, N)
        self.has_genres = pipeline.catalogue.has_genres
        self.columns = tuple(name for name in COLUMNS if self.has_genres or name != "ILS@10")
        if self.liking is not None:
            self.columns += ("true liking@10",)

    def per_user(self, ranked: Candidates) -> dict[str, np.ndarray]:
        """Return each metric per request (B,)."""
        judged = ranking.judge(ranked.item_ids, self.answers)
        page = ranked.item_ids[:, :PAGE]
        found = {
            "NDCG@10": ranking.ndcg(judged.relevance, judged.ideal, PAGE),
            "Recall@100": ranking.recall(judged.relevance, judged.total_relevant, 100),
            "Recall@500": ranking.recall(judged.relevance, judged.total_relevant, DEEP),
            "P@10": ranking.precision(judged.relevance, PAGE),
            "R@10": ranking.recall(judged.relevance, judged.total_relevant, PAGE),
            "MRR": ranking.mrr(judged.relevance),
            "ILS@10": ranking.intra_list_similarity(self.genres, page),
            "novelty@10": ranking.novelty(page, self.counts, self.users),
        }
        if self.liking is not None:
            stars = np.take_along_axis(self.liking, np.maximum(page, 0), axis=1)
            found["true liking@10"] = _mean_where(stars, page != MISSING)
        return found

    def ndcg(self, ranked: Candidates) -> np.ndarray:
        """Return NDCG@10 per request (B,)."""
        judged = ranking.judge(ranked.item_ids, self.answers)
        return ranking.ndcg(judged.relevance, judged.ideal, PAGE)

    def recall(self, ranked: Candidates, k: int) -> np.ndarray:
        """Return Recall@k per request (B,)."""
        judged = ranking.judge(ranked.item_ids, self.answers)
        return ranking.recall(judged.relevance, judged.total_relevant, k)

    def row(self, name: str, ranked: Candidates, *, baseline: bool = False) -> Row:
        """Return the means, the first two with their intervals; a short list has no Recall@500."""
        values = self.per_user(ranked)
        cells: Cells = {metric: float(np.nanmean(value)) for metric, value in values.items()}
        if self.is_short(ranked):
            cells["Recall@500"] = None
        for metric in ("NDCG@10", "Recall@100"):
            cells[metric] = self.estimate(values[metric])
        cells["coverage@10"] = ranking.coverage(ranked.item_ids[:, :PAGE], self.items)
        return Row(name, cells, baseline=baseline)

    def is_short(self, ranked: Candidates) -> bool:
        """Tell whether no list reaches 500 items, though the catalogue does."""
        longest = int((ranked.item_ids != MISSING).sum(axis=1).max(initial=0))
        return longest < min(DEEP, self.items)

    def estimate(self, values: np.ndarray) -> Estimate:
        """Return the mean of values (B,) with its interval."""
        return Estimate(float(values.mean()), *interval(values, seed=self.seed))


def _mean_where(values: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Return the mean of the kept values of each row (B,); NaN where none is."""
    count = kept.sum(axis=1)
    total = np.where(kept, values, 0.0).sum(axis=1)
    return np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)
