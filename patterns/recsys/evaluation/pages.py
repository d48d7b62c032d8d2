"""How should a page be filled, and what do simulated people make of it?"""

from __future__ import annotations

from typing import Any, get_args

import numpy as np

from common.evaluation import ranking
from common.evaluation.report import Row, Table
from common.retrieval import Candidates
from common.units import DAY
from patterns.recsys.entities.requests import Requests
from patterns.recsys.evaluation.scorer import PAGE, Scorer
from patterns.recsys.pipeline import Pipeline
from patterns.recsys.stages.reranking.exploration import Exploration
from patterns.recsys.stages.reranking.penalties import history_shares, miscalibration
from patterns.recsys.stages.reranking.reranker import Method
from patterns.recsys.stages.reranking.rules import genre_cap

GENRE_CAP = 3
METHODS: tuple[Method, ...] = get_args(Method)
PAGE_COLUMNS = ("NDCG@10", "ILS@10", "genre KL", "coverage@10", "novelty@10")


def pages_table(pipeline: Pipeline, scorer: Scorer, ranked: Candidates) -> Table:
    """Return pages by every way of filling them, at the price chosen on validation."""
    seen = scorer.requests.seen
    wanted = history_shares(seen, scorer.shares)
    known = np.diff(seen.indptr) > 0
    rows: list[Row] = []
    for name, page in _pages(pipeline, scorer.requests, ranked).items():
        values = scorer.per_user(page)
        cells: dict[str, Any] = {
            metric: float(np.nanmean(values[metric])) for metric in PAGE_COLUMNS[:2]
        }
        kl = miscalibration(wanted, scorer.shares, page.item_ids[:, :PAGE])[known]
        cells["genre KL"] = float(kl.mean()) if len(kl) else float("nan")
        cells["coverage@10"] = ranking.coverage(page.item_ids[:, :PAGE], scorer.items)
        cells["novelty@10"] = float(np.nanmean(values["novelty@10"]))
        rows.append(Row(name, cells, baseline=not rows))
    caption = (
        "Each way at the smallest weight of its penalty that cuts"
        f" {pipeline.reranker.similarity_cut:.0%} of ILS@10 on validation, or else the largest for"
        f" {pipeline.reranker.ndcg_budget:.0%} of its NDCG@10. Genre KL is between the"
        " genres of the history and of the page: lower is better calibrated. The cap allows"
        f" {GENRE_CAP} items of one genre; the slot draws the last place among rarely seen items."
    )
    return Table("ways to fill a page", PAGE_COLUMNS, tuple(rows), caption)


def _pages(pipeline: Pipeline, requests: Requests, ranked: Candidates) -> dict[str, Candidates]:
    """Fill the test pages in every way."""
    reranker, seen = pipeline.reranker, requests.seen
    pages = {"as ranked": ranked.head(PAGE)}
    for method in METHODS:
        if method not in reranker.curves_:
            continue
        trade_off = reranker.affordable(method)
        pages[method] = reranker.rerank(ranked, PAGE, seen=seen, method=method, trade_off=trade_off)
    cap = genre_cap(pipeline.catalogue.genres, GENRE_CAP)
    pages["served + genre cap"] = reranker.rerank(ranked, PAGE, seen=seen, rules=cap)
    explore = Exploration(slots=1, seed=pipeline.seed).fit(pipeline.exploration.shown_)
    whole = reranker.rerank(ranked, PAGE, seen=seen, rest=True)
    days = requests.times // DAY
    found = explore.explore(whole, PAGE, request_ids=requests.users, days=days)
    pages["served + exploration slot"] = found.items
    return pages


def online_table(scorer: Scorer, lists: dict[str, Candidates]) -> Table:
    """Return what simulated people make of the pages: engagement and conversion, no log between."""
    assert scorer.truth is not None
    rows: list[Row] = []
    for name, found in lists.items():
        minutes, finished = scorer.truth.viewing(scorer.requests, found.item_ids[:, :PAGE])
        cells: dict[str, Any] = {
            "minutes a view": scorer.estimate(minutes),
            "watched to the end": scorer.estimate(finished),
        }
        rows.append(Row(name, cells, baseline=not rows))
    caption = (
        "Everybody watches one film from the page, by the law of the world: taste, device,"
        " position. Minutes are engagement, watched to the end is conversion."
    )
    return Table(
        "online, simulated", ("minutes a view", "watched to the end"), tuple(rows), caption
    )
