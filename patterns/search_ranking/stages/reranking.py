"""Re-ranking, box 4: from the ranker's order to the page that is shown.

The ranker judges documents one by one; a page is judged whole. Three steps, in this order:

    rules      filters take out, boosts and demotions move the relevance r (scaled to 0 … 1)
    diversity  maximal marginal relevance over the document vectors, among the first `depth`:
               next = argmax λ r_i - (1 - λ) max_j cos(d_i, d_j)      over the j already chosen
    page       caps per group hold back, pins go first; these are promises, so they come last

λ is chosen on the validation queries: the smallest down to which none costs more than a set share
of NDCG@10. Source: Carbonell and Goldstein, SIGIR 1998. Here λ applies to scores scaled within the
list, since those of LambdaMART have no scale of their own; documents below `depth` keep the order.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl

from common.atomic import write_json
from common.retrieval import MISSING, Candidates, mmr
from patterns.search_ranking.stages.rules import Rule, Rules, read_rules

# Shapes: B queries, K ranked documents, N documents, D vector width

TRADE_OFFS = (0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 1.0)


class Reranker:
    """Diversity and business rules over a ranked list."""

    def __init__(
        self,
        *,
        depth: int = 50,
        trade_off: float = 1.0,
        ndcg_budget: float = 0.01,
        rules: Sequence[Rule] = (),
    ) -> None:
        self.depth, self.ndcg_budget = depth, ndcg_budget
        self.rules = Rules(rules=rules)
        self.trade_off_ = trade_off  # `fit` chooses it anew

    def prepare(self, documents: pl.DataFrame, vectors: np.ndarray) -> Self:
        """Tie the rules to the corpus; `vectors` (N, D) of unit length measure similarity."""
        self.rules.fit(documents)
        self.vectors_ = vectors
        return self

    def fit(
        self,
        queries: Sequence[str],
        ranked: Candidates,
        ndcg_of: Callable[[Candidates], float],
    ) -> Self:
        """Choose λ: the smallest whose NDCG@10, like that of all larger ones, keeps to the budget.

        `ndcg_of` judges a page.
        """
        self.curve_: list[tuple[float, float]] = []
        for trade_off in TRADE_OFFS:
            self.trade_off_ = trade_off
            self.curve_.append((trade_off, ndcg_of(self.rerank(queries, ranked, 10))))
        floor = self.curve_[-1][1] * (1 - self.ndcg_budget)
        kept = takewhile(lambda pair: pair[1] >= floor, reversed(self.curve_))
        self.trade_off_ = min(value for value, _ in kept)
        return self

    def rerank(self, queries: Sequence[str], ranked: Candidates, k: int) -> Candidates:
        """Return the first k of each list; their scores are the ranker's and need not descend."""
        width = min(k, ranked.item_ids.shape[1])
        item_ids = np.full((len(ranked), width), MISSING, np.int64)
        scores = np.full((len(ranked), width), -np.inf, np.float32)
        for row, query in enumerate(queries):
            kept = ranked.item_ids[row] >= 0
            page, values = self._page(
                query, ranked.item_ids[row][kept], ranked.scores[row][kept], width
            )
            item_ids[row, : len(page)], scores[row, : len(page)] = page, values
        return Candidates(item_ids, scores)

    def _page(
        self, query: str, items: np.ndarray, scores: np.ndarray, k: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Take one list (K,) through the three steps; pinned documents need not be among it."""
        allowed = ~self.rules.barred_[items]
        items, scores = items[allowed], scores[allowed]
        relevance = _scaled(scores) + self.rules.bonus_[items]
        order = np.argsort(-relevance, kind="stable")
        items, scores, relevance = items[order], scores[order], relevance[order]
        head = items[: self.depth]
        if self.trade_off_ < 1.0 and len(head) > 2:
            chosen = mmr(
                relevance[: self.depth],
                self.vectors_[head],
                k=min(k, len(head)),
                trade_off=self.trade_off_,
            )
            left = np.setdiff1d(np.arange(len(items)), chosen)
            order = np.concatenate([chosen, left])
            items, scores = items[order], scores[order]
        known = dict(zip(items.tolist(), scores.tolist(), strict=True))
        items = self.rules.capped(items)
        pinned = self.rules.pinned(query)
        page = [*pinned, *(item for item in items.tolist() if item not in pinned)][:k]
        return np.array(page, np.int64), np.array(
            [known.get(item, np.nan) for item in page], np.float32
        )

    def save(self, folder: Path) -> None:
        """Write settings and rules as JSON."""
        write_json(folder / "rules.json", [_plain(rule) for rule in self.rules.rules])
        settings = {"depth": self.depth, "trade_off": self.trade_off_}
        write_json(folder / "reranking.json", settings)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; `prepare` must follow."""
        settings = json.loads((folder / "reranking.json").read_text(encoding="utf-8"))
        return cls(rules=read_rules(folder / "rules.json"), **settings)


def _scaled(scores: np.ndarray) -> np.ndarray:
    """Scale scores to 0 … 1 within their list; a list of equals is all 1."""
    if not len(scores):
        return scores
    spread = scores.max() - scores.min()
    return (scores - scores.min()) / spread if spread > 0 else np.ones_like(scores)


def _plain(rule: Rule) -> dict[str, object]:
    return {name: list(value) if isinstance(value, tuple) else value
            for name, value in vars(rule).items()}  # fmt: skip
