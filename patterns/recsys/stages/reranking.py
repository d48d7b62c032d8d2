"""From the ranker's order to the page: relevance traded against sameness by MMR.

The ranker scores items one by one, so its top ten may be ten of a kind. The re-ranker picks from
the first `depth` items, each time the one of largest

    trade_off * relevance - (1 - trade_off) * largest likeness to what was picked already.

`fit` takes the smallest trade-off (the most diverse page) that costs at most `ndcg_budget` of the
validation NDCG@10, so the price of diversity is a decision and not an accident.

Source: Carbonell & Goldstein, The Use of MMR, SIGIR 1998.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from common.artifacts import write_json
from common.evaluation.ranking import judge, ndcg
from common.retrieval import NOTHING, Candidates, mmr

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

TRADE_OFFS = (1.0, 0.98, 0.96, 0.94, 0.92, 0.9, 0.88, 0.85, 0.8, 0.75, 0.7, 0.6, 0.5)


class Reranker:
    """MMR over the likeness of item vectors."""

    def __init__(
        self, *, depth: int = 50, ndcg_budget: float = 0.02, trade_off: float = 1.0
    ) -> None:
        self.depth = depth
        self.ndcg_budget = ndcg_budget
        self.trade_off = trade_off

    def fit(self, ranked: Candidates, answers: csr_matrix, vectors: np.ndarray) -> Reranker:
        """Choose the trade-off on `ranked` candidates whose `answers` (B, N) are known."""
        self.vectors_ = vectors
        self.curve_: list[tuple[float, float]] = []  # (trade-off, NDCG@10)
        for trade_off in TRADE_OFFS:
            judged = judge(self.rerank(ranked, 10, trade_off=trade_off).item_ids, answers)
            self.curve_.append((trade_off, float(ndcg(judged.relevance, judged.ideal, 10).mean())))
        floor = self.curve_[0][1] * (1 - self.ndcg_budget)
        self.trade_off = min(trade_off for trade_off, value in self.curve_ if value >= floor)
        return self

    def rerank(self, ranked: Candidates, k: int, *, trade_off: float | None = None) -> Candidates:
        """Give the page of `k`; what lies beyond `depth` follows in the ranker's order."""
        trade_off = self.trade_off if trade_off is None else trade_off
        if trade_off == 1.0:
            return ranked.head(k)
        rows = [
            self._page(items, scores, k, trade_off)
            for items, scores in zip(ranked.item_ids, ranked.scores, strict=True)
        ]
        order = np.stack(rows) if rows else np.empty((0, 0), dtype=np.int64)
        return Candidates(
            np.take_along_axis(ranked.item_ids, order, axis=1),
            np.take_along_axis(ranked.scores, order, axis=1),
        )

    def _page(self, items: np.ndarray, scores: np.ndarray, k: int, trade_off: float) -> np.ndarray:
        """Give positions: the picks of MMR, then the rest as ranked."""
        pool = min(self.depth, int((items != NOTHING).sum()))
        rest = np.arange(pool, len(items))
        if pool:
            relevance = _to_unit(scores[:pool])
            picks = mmr(relevance, self.vectors_[items[:pool]], k=k, trade_off=trade_off)
            left = np.setdiff1d(np.arange(pool), picks)
            rest = np.concatenate([picks, left, rest])
        return rest[:k]

    def save(self, folder: Path) -> None:
        """Write the trade-off and the vectors."""
        settings = {"depth": self.depth, "trade_off": self.trade_off, "curve": self.curve_}
        write_json(folder / "reranking.json", settings)
        np.savez(folder / "reranking.npz", vectors=self.vectors_)

    def load(self, folder: Path) -> Reranker:
        """Read what `save` wrote."""
        settings = json.loads((folder / "reranking.json").read_text(encoding="utf-8"))
        self.depth, self.trade_off = settings["depth"], settings["trade_off"]
        self.curve_ = [(a, b) for a, b in settings["curve"]]
        with np.load(folder / "reranking.npz") as arrays:
            self.vectors_ = arrays["vectors"]
        return self


def _to_unit(scores: np.ndarray) -> np.ndarray:
    """Scale scores to [0, 1], so that they can be weighed against a cosine."""
    spread = scores.max() - scores.min()
    return (scores - scores.min()) / spread if spread > 0 else np.ones_like(scores)
