"""From the ranker's order to the page: relevance traded against a penalty.

The ranker scores items one by one, so its top ten may be ten of a kind, or none of the kind the
user chooses one time in five. The re-ranker fills the page from the first `depth` items, each time
with the one of largest

    trade_off * relevance - (1 - trade_off) * penalty

where relevance is the ranker's score s as 1 / (1 + exp(-s)), scaled to [0, 1], and the penalty is,
by `method`,

    mmr             the largest similarity of genres to what the page holds already
    bounded-greedy  the mean similarity to it
    calibrated      KL between the genres of the user's history and of the page, times its length
    both            the mean of the last two

`fit` takes the largest trade-off (the smallest weight of the penalty) that cuts the validation
pages' intra-list similarity (ILS) by the share `similarity_cut`; where none does for at most
`ndcg_budget` of NDCG@10, the smallest that keeps to the budget. So both the price and what it buys
are decisions and not accidents. The curves of all methods are kept for the report. All requests of
a batch step together.

Sources: Carbonell & Goldstein, SIGIR 1998 (MMR); Smyth & McClave, ICCBR 2001 (bounded greedy);
Steck, RecSys 2018 (calibration); see `penalties`.

Shapes: `B` requests, `N` items, `K` candidates, `P` the first of them that are weighed, `G` genres.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self, get_args

import numpy as np

from common.atomic import write_json
from common.evaluation.ranking import intra_list_similarity, judge, ndcg
from common.retrieval import Candidates
from common.vectors import unit_rows
from patterns.recsys.stages.reranking.greedy import greedy, to_unit
from patterns.recsys.stages.reranking.penalties import (
    Miscalibration,
    Penalty,
    Similarity,
    genre_shares,
    history_shares,
    miscalibration,
)
from patterns.recsys.stages.reranking.rules import Rules, genre_cap

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Method = Literal["mmr", "bounded-greedy", "calibrated", "both"]
TRADE_OFFS = (1.0, 0.95, 0.9, 0.85, 0.8, 0.76, 0.73, 0.7, 0.68, 0.66, 0.64, 0.62, 0.6, 0.58, 0.56,
              0.53, 0.5, 0.45, 0.4, 0.3, 0.2, 0.1)  # fmt: skip
CALIBRATED = ("calibrated", "both")
PAGE = 10
BLOCK = 256  # requests that step together: their genres stay in the cache


class Point(NamedTuple):
    """A trade-off and what it gives on validation; KL is None where histories are not known."""

    trade_off: float
    ndcg: float
    ils: float
    kl: float | None


class Reranker:
    """A greedy page under one penalty or two."""

    def __init__(
        self,
        *,
        method: Method = "bounded-greedy",
        depth: int = 50,
        ndcg_budget: float = 0.02,
        similarity_cut: float = 0.2,
        genre_cap: int = 0,
        trade_off: float = 1.0,
    ) -> None:
        """Take the settings; with a `genre_cap` no page holds more items of one genre."""
        if method not in get_args(Method):
            raise ValueError(f"method: {method!r} is not known; use {', '.join(get_args(Method))}")
        self.method: Method = method
        self.depth = depth
        self.ndcg_budget = ndcg_budget
        self.similarity_cut = similarity_cut
        self.genre_cap = genre_cap
        self.trade_off_ = trade_off  # `fit` chooses it anew

    def fit(
        self,
        ranked: Candidates,
        answers: csr_matrix,
        genres: np.ndarray,
        *,
        seen: csr_matrix | None = None,
    ) -> Self:
        """Choose the trade-off on `ranked` candidates whose `answers` (B, N) are known.

        `genres` (N, G) are 0 or 1; `seen` (B, N) holds the histories, which calibration needs.
        """
        self.with_genres(genres)
        methods = [each for each in get_args(Method) if seen is not None or each not in CALIBRATED]
        self.curves_: dict[str, list[Point]] = {
            method: [self._point(ranked, answers, seen, method, each) for each in TRADE_OFFS]
            for method in dict.fromkeys((*methods, self.method))
        }
        self.trade_off_ = self.affordable(self.method)
        return self

    def affordable(self, method: str) -> float:
        """Return the cheapest trade-off of a method that cuts enough, else the last in budget."""
        curve = self.curves_[method]
        floor = curve[0].ndcg * (1 - self.ndcg_budget)
        within = [point for point in curve if point.ndcg >= floor]
        enough = curve[0].ils * (1 - self.similarity_cut)
        cut = [point.trade_off for point in within if point.ils <= enough]
        return max(cut) if cut else min(point.trade_off for point in within)

    @property
    def curve_(self) -> list[Point]:
        """The validation curve of the method that serves."""
        return self.curves_[self.method]

    def rerank(
        self,
        ranked: Candidates,
        k: int,
        *,
        seen: csr_matrix | None = None,
        rules: Rules | None = None,
        rest: bool = False,
        trade_off: float | None = None,
        method: Method | None = None,
    ) -> Candidates:
        """Return the page of `k`; what lies beyond `depth` follows in the ranker's order.

        `seen` (B, N) is needed where the method calibrates. With `rest` all other candidates follow
        the page, as exploration wants them. Scores stay the ranker's.
        """
        trade_off = self.trade_off_ if trade_off is None else trade_off
        length = ranked.item_ids.shape[1] if rest else k
        if (trade_off == 1.0 and rules is None) or not ranked.item_ids.size:
            return ranked.head(length)
        wanted = self._wanted(seen, method or self.method)
        pages = []
        for start in range(0, len(ranked), BLOCK):
            rows = slice(start, start + BLOCK)
            block = Candidates(ranked.item_ids[rows], ranked.scores[rows])
            history = wanted[rows] if wanted is not None else None
            pages.append(self._page(block, k, history, rules, trade_off, method or self.method))
        return Candidates.concatenate(pages).head(length)

    def _page(
        self,
        ranked: Candidates,
        k: int,
        wanted: np.ndarray | None,
        rules: Rules | None,
        trade_off: float,
        method: Method,
    ) -> Candidates:
        """Return the whole lists, the page of `k` first."""
        relevance = to_unit(ranked.scores, ranked.item_ids, self.depth)
        pool = min(self.depth, ranked.item_ids.shape[1])
        width = pool if rules is None else ranked.item_ids.shape[1]  # what may be moved up
        item_ids = ranked.item_ids[:, :width]
        penalties = self._penalties(item_ids, wanted, pool, method) if trade_off < 1 else []
        options = {"pool": pool, "k": k, "trade_off": trade_off}
        places = greedy(item_ids, relevance[:, :width], penalties, rules=rules, **options)
        order = _followed(places, ranked.item_ids.shape[1])
        return Candidates(
            np.take_along_axis(ranked.item_ids, order, axis=1),
            np.take_along_axis(ranked.scores, order, axis=1),
        )

    def _penalties(
        self, item_ids: np.ndarray, wanted: np.ndarray | None, pool: int, method: Method
    ) -> list[Penalty]:
        penalties: list[Penalty] = []
        if method != "calibrated":
            vectors = self.vectors_[item_ids]
            penalties.append(Similarity(vectors, pool=pool, mean=method != "mmr"))
        if method in CALIBRATED:
            assert wanted is not None
            penalties.append(Miscalibration(self.shares_[item_ids], wanted, pool=pool))
        return penalties

    def _wanted(self, seen: csr_matrix | None, method: Method) -> np.ndarray | None:
        """Return the genres of the histories (B, G), where the method looks at them."""
        if method not in CALIBRATED:
            return None
        if seen is None:
            raise ValueError(f"seen: {method!r} needs the histories; pass seen, or use mmr")
        return history_shares(seen, self.shares_)

    def _point(
        self,
        ranked: Candidates,
        answers: csr_matrix,
        seen: csr_matrix | None,
        method: Method,
        trade_off: float,
    ) -> Point:
        page = self.rerank(ranked, PAGE, seen=seen, trade_off=trade_off, method=method).item_ids
        judged = judge(page, answers)
        quality = float(ndcg(judged.relevance, judged.ideal, PAGE).mean())
        ils = float(intra_list_similarity(self.vectors_, page).mean())
        if seen is None:
            return Point(trade_off, quality, ils, None)
        known = np.diff(seen.indptr) > 0
        wanted = history_shares(seen, self.shares_)
        divergences = miscalibration(wanted, self.shares_, page)[known]
        kl = float(divergences.mean()) if len(divergences) else None
        return Point(trade_off, quality, ils, kl)

    def save(self, folder: Path) -> None:
        """Write the settings, the curves and the genres."""
        names = ("method", "depth", "ndcg_budget", "similarity_cut", "genre_cap")
        settings: dict[str, Any] = {name: getattr(self, name) for name in names}
        found = {"trade_off": self.trade_off_, "curves": self.curves_}
        write_json(folder / "reranking.json", settings | found)
        np.savez(folder / "reranking.npz", genres=self.vectors_ > 0)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        settings = json.loads((folder / "reranking.json").read_text(encoding="utf-8"))
        curves = settings.pop("curves").items()
        stage = cls(**settings)
        stage.curves_ = {name: [Point(*point) for point in curve] for name, curve in curves}
        with np.load(folder / "reranking.npz") as arrays:
            return stage.with_genres(arrays["genres"])

    def with_genres(self, genres: np.ndarray) -> Self:
        """Take the genres (N, G), 0 or 1, of a catalogue."""
        genres = (genres > 0).astype(np.float32)
        self.vectors_ = unit_rows(genres)  # (N, G)
        self.shares_ = genre_shares(genres)
        self.rules_ = genre_cap(genres, self.genre_cap)
        return self


def _followed(places: np.ndarray, width: int) -> np.ndarray:
    """Return `places` (B, L) followed by all other places below `width`, ascending: (B, width)."""
    left = np.ones((len(places), width), dtype=bool)
    np.put_along_axis(left, places, False, axis=1)
    rest = np.nonzero(left)[1].reshape(len(places), width - places.shape[1])
    return np.concatenate([places, rest], axis=1)
