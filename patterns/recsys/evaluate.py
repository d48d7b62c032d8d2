"""Pipeline + test window -> report: each source alone, then what every stage adds.

One request per test user, at the middle of what the user does in the window: the first half is
known, the second is the answer, so users count equally and are independent for the bootstrap. The
whole catalogue is ranked; nothing is sampled. Latency is of single requests, warm, one thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from common.evaluation import latency, ranking
from common.evaluation.bootstrap import interval, paired_difference
from common.evaluation.report import Estimate, Report, Row, Table, figure
from common.retrieval import NOTHING, Candidates
from patterns.recsys.data import Splits
from patterns.recsys.pipeline import Pipeline
from patterns.recsys.requests import Requests, requests_within

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

BUDGETS_MS = {"candidates": 10.0, "ranking": 100.0, "re-ranking": 10.0, "all": 20.0}
COLUMNS = ("NDCG@10", "Recall@100", "P@10", "MRR", "ILS@10", "coverage@10", "novelty@10")
PAGE = 10
LONG_HISTORY = 50


def evaluate(pipeline: Pipeline, splits: Splits) -> Report:
    """Measure every stage on the test window."""
    past = splits.train.joined(splits.valid)
    requests, answers, _ = requests_within(past, splits.test, splits.catalogue, moments=(0.5,))
    lists = _ranked_lists(pipeline, requests)
    scorer = _Scorer(pipeline, answers)
    ndcg = {name: scorer.ndcg(found) for name, found in lists.items()}
    report = Report("recsys", splits.source, notices=list(pipeline.notices))
    report.tables = [
        scorer.headline(lists),
        _gains_table(ndcg),
        _slices(ndcg, requests),
        _rankers_table(pipeline, scorer, requests, lists),
    ]
    report.printed = 2
    report.latency = _latencies(pipeline, requests)
    _draw(report, pipeline, scorer, lists)
    return report


def _ranked_lists(pipeline: Pipeline, requests: Requests) -> dict[str, Candidates]:
    """Give the list of each source alone and after each stage, the baseline first."""
    lists = {source.name: source.retrieve(requests, 100) for source in pipeline.sources}
    lists["merged"] = pipeline.retrieve(requests)
    lists["+ ranking"] = pipeline.rank(requests, lists["merged"])
    lists["+ re-ranking"] = pipeline.rerank(lists["+ ranking"], 100)
    return lists


class _Scorer:
    """The metrics of a list against the answers."""

    def __init__(self, pipeline: Pipeline, answers: csr_matrix) -> None:
        self.answers = answers
        self.genres = pipeline.reranker.vectors_
        self.items = len(self.genres)
        self.counts = np.asarray(pipeline.histories_.sum(axis=0)).ravel()
        self.users = int((np.diff(pipeline.histories_.indptr) > 0).sum())

    def per_user(self, ranked: Candidates) -> dict[str, np.ndarray]:
        """Give each metric per request (B,)."""
        judged = ranking.judge(ranked.item_ids, self.answers)
        page = ranked.item_ids[:, :PAGE]
        return {
            "NDCG@10": ranking.ndcg(judged.relevance, judged.ideal, PAGE),
            "Recall@100": ranking.recall(judged.relevance, judged.total_relevant, 100),
            "P@10": ranking.precision(judged.relevance, PAGE),
            "MRR": ranking.mrr(judged.relevance),
            "ILS@10": ranking.intra_list_similarity(self.genres, page),
            "novelty@10": ranking.novelty(page, self.counts, self.users),
        }

    def ndcg(self, ranked: Candidates) -> np.ndarray:
        """Give NDCG@10 per request (B,)."""
        judged = ranking.judge(ranked.item_ids, self.answers)
        return ranking.ndcg(judged.relevance, judged.ideal, PAGE)

    def row(self, name: str, ranked: Candidates, *, baseline: bool = False) -> Row:
        """Give the means, the first two with their intervals."""
        values = self.per_user(ranked)
        cells: dict[str, float | Estimate | str | None] = {
            metric: float(np.nanmean(value)) for metric, value in values.items()
        }
        for metric in ("NDCG@10", "Recall@100"):
            cells[metric] = Estimate(float(values[metric].mean()), *interval(values[metric]))
        cells["coverage@10"] = ranking.coverage(ranked.item_ids[:, :PAGE], self.items)
        return Row(name, cells, baseline=baseline)

    def headline(self, lists: dict[str, Candidates]) -> Table:
        """Give the table of stages."""
        rows = [
            self.row(name, found, baseline=not i) for i, (name, found) in enumerate(lists.items())
        ]
        caption = (
            f"{self.answers.shape[0]} test users, one request each; the whole catalogue of"
            f" {self.items:,} items is ranked. ILS is the mean cosine of genres within a page:"
            " lower is more diverse."
        )
        return Table("quality", COLUMNS, tuple(rows), caption)


def _gains_table(ndcg: dict[str, np.ndarray]) -> Table:
    """Give the paired difference in NDCG@10 that each step makes."""
    sources = list(ndcg)[:-3]
    best = max(sources, key=lambda name: ndcg[name].mean())
    pairs = [
        (f"best source ({best}) over popularity", best, sources[0]),
        (f"merged over {best}", "merged", best),
        (f"ranked over {best}", "+ ranking", best),
        ("re-ranked over ranked", "+ re-ranking", "+ ranking"),
    ]
    rows = []
    for name, after, before in pairs:
        change = paired_difference(ndcg[after], ndcg[before])
        estimate = Estimate(change.value, change.low, change.high)
        relative = change.value / max(float(ndcg[before].mean()), 1e-9)
        rows.append(Row(name, {"NDCG@10 gain": estimate, "relative": f"{relative:+.1%}"}))
    return Table(
        "what each step adds", ("NDCG@10 gain", "relative"), tuple(rows), "Paired by user."
    )


def _slices(ndcg: dict[str, np.ndarray], requests: Requests) -> Table:
    """Give NDCG@10 by length of history: none, short, long."""
    length = np.diff(requests.seen.indptr)
    slices = {
        "no history": length == 0,
        f"1–{LONG_HISTORY} items": (length > 0) & (length <= LONG_HISTORY),
        f"over {LONG_HISTORY} items": length > LONG_HISTORY,
    }
    rows = []
    for name, members in slices.items():
        if members.any():
            cells = {column: float(values[members].mean()) for column, values in ndcg.items()}
            rows.append(Row(name, {"users": str(int(members.sum())), **cells}))
    return Table("NDCG@10 by history", ("users", *ndcg), tuple(rows))


def _rankers_table(
    pipeline: Pipeline, scorer: _Scorer, requests: Requests, lists: dict[str, Candidates]
) -> Table:
    """Give the rankers side by side on the same candidates."""
    rows = []
    for ranker in pipeline.rankers:
        served = ranker is pipeline.ranker
        ranked = lists["+ ranking"] if served else pipeline.rank(requests, lists["merged"], ranker)
        rows.append(scorer.row(ranker.name + (" (served)" if served else ""), ranked))
    caption = "The ranker to serve was chosen on validation users, not here."
    return Table("rankers", COLUMNS, tuple(rows), caption)


def _latencies(pipeline: Pipeline, requests: Requests) -> list[latency.Latency]:
    """Time single requests stage by stage on one thread."""
    from threadpoolctl import threadpool_limits

    singles = [requests.part(slice(row, row + 1)) for row in range(min(len(requests), 200))]
    found = [(single, pipeline.retrieve(single)) for single in singles]
    ranked = [pipeline.rank(single, candidates) for single, candidates in found]
    with threadpool_limits(1):
        return [
            latency.measure(
                "candidates", pipeline.retrieve, singles, budget_ms=BUDGETS_MS["candidates"]
            ),
            latency.measure(
                "ranking", lambda pair: pipeline.rank(*pair), found, budget_ms=BUDGETS_MS["ranking"]
            ),
            latency.measure(
                "re-ranking",
                lambda candidates: pipeline.rerank(candidates, PAGE),
                ranked,
                budget_ms=BUDGETS_MS["re-ranking"],
            ),
            latency.measure(
                "all",
                lambda single: pipeline.recommend(single, PAGE),
                singles,
                budget_ms=BUDGETS_MS["all"],
            ),
        ]


def _draw(
    report: Report, pipeline: Pipeline, scorer: _Scorer, lists: dict[str, Candidates]
) -> None:
    with figure(report, "Funnel", "Share of the answers within the first k, by list.") as axes:
        ks = np.array([5, 10, 20, 50, 100])
        for name in (*list(lists)[:-2], "+ ranking"):
            judged = ranking.judge(lists[name].item_ids, scorer.answers)
            recall = [ranking.recall(judged.relevance, judged.total_relevant, k).mean() for k in ks]
            axes.plot(ks, recall, marker="o", label=name)
        axes.set(xlabel="k", ylabel="Recall@k", xscale="log")
        axes.legend(frameon=False)
    caption = "Validation NDCG@10 against the trade-off; the mark is what was chosen."
    with figure(report, "Price of diversity", caption) as axes:
        trade_offs, values, *_ = zip(*pipeline.reranker.curve_, strict=True)
        axes.plot(trade_offs, values, marker="o")
        axes.axvline(pipeline.reranker.trade_off, linestyle=":", color="black")
        axes.set(xlabel="trade-off (1 = relevance only)", ylabel="NDCG@10")
    if pipeline.ranker.name == "lightgbm":
        _draw_importance(report, pipeline)
    _draw_popularity(report, scorer, lists)


def _draw_importance(report: Report, pipeline: Pipeline) -> None:
    gain = pipeline.ranker.importance()
    order = np.argsort(gain)[-15:]
    names = np.array(pipeline.feature_names())[order]
    with figure(report, "What the ranker looks at", "Total gain of a feature's splits.") as axes:
        axes.barh(names, gain[order] / max(gain.sum(), 1e-9))
        axes.set(xlabel="share of gain")


def _draw_popularity(report: Report, scorer: _Scorer, lists: dict[str, Candidates]) -> None:
    caption = "Mean popularity rank of the recommended items: further right reaches the long tail."
    order = np.argsort(np.argsort(-scorer.counts, kind="stable"), kind="stable")
    with figure(report, "Reach into the long tail", caption) as axes:
        for name in ("popularity", "als", "+ re-ranking"):
            page = lists[name].item_ids[:, :PAGE]
            ranks = np.sort(order[page[page != NOTHING]])
            axes.plot(ranks, np.linspace(0, 1, len(ranks)), label=name)
        axes.set(xlabel="popularity rank of a recommended item", ylabel="share of recommendations")
        axes.legend(frameon=False)
