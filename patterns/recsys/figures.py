"""What is drawn of the recommender: funnel, prices, cold start, what a ranker looks at."""

from __future__ import annotations

import numpy as np

from common.evaluation.bootstrap import interval
from common.evaluation.report import Report, Table, figure
from common.retrieval import MISSING, Candidates
from patterns.recsys.evaluation.scorer import PAGE, Scorer
from patterns.recsys.pipeline import Pipeline


def draw(
    report: Report,
    pipeline: Pipeline,
    scorer: Scorer,
    lists: dict[str, Candidates],
    cold: Table | None,
) -> None:
    """Draw all figures."""
    _funnel(report, scorer, lists)
    _ablation(report, scorer, lists)
    if scorer.has_genres:
        _diversity(report, pipeline)
    if pipeline.ranking.pareto_:
        _objectives(report, pipeline)
    if cold is not None:
        _cold_start(report, cold)
    if hasattr(pipeline.ranking.ranker_, "importance"):
        _importance(report, pipeline)
    _popularity(report, scorer, lists)


def _funnel(report: Report, scorer: Scorer, lists: dict[str, Candidates]) -> None:
    caption = "Share of the answers within the first k, by list."
    with figure(report, "Funnel", caption, table="quality") as axes:
        ks = np.array([5, 10, 20, 50, 100, 200, 500])
        for name in (*list(lists)[:-2], "+ ranking"):
            longest = lists[name].item_ids.shape[1]
            reached = ks[ks <= longest]
            recall = [scorer.recall(lists[name], int(k)).mean() for k in reached]
            wide = 2.5 if name in ("merged", "+ ranking") else 1.2
            axes.plot(reached, recall, marker="o", markersize=3, linewidth=wide, label=name)
        axes.set(xlabel="k", ylabel="Recall@k", xscale="log")
        axes.legend()


def _ablation(report: Report, scorer: Scorer, lists: dict[str, Candidates]) -> None:
    caption = "NDCG@10 with its 95 % interval: each source alone, then one stage more at a time."
    with figure(report, "Ablation", caption, table="what each step adds") as axes:
        values = [scorer.ndcg(found) for found in lists.values()]
        means = np.array([value.mean() for value in values])
        bounds = np.array([interval(value, seed=scorer.seed) for value in values])
        spread = np.abs(bounds.T - means)
        places = np.arange(len(lists))[::-1]
        axes.barh(
            places, means, xerr=spread, color=["#9bb8d3"] * (len(lists) - 3) + ["#2c6fbb"] * 3
        )
        axes.set_yticks(places, list(lists))
        axes.set(xlabel="NDCG@10")


def _diversity(report: Report, pipeline: Pipeline) -> None:
    reranker = pipeline.reranker
    caption = (
        "Validation: what a page gives for what it costs, by trade-off. Left of the dotted line a"
        " way costs more NDCG than the budget; the star is what serves."
    )
    with figure(report, "Price of diversity", caption, table="ways to fill a page") as axes:
        for method, curve in reranker.curves_.items():
            axes.plot(
                [point.ndcg for point in curve], [point.ils for point in curve], marker="o",
                markersize=3, label=method,
            )  # fmt: skip
        served = next(each for each in reranker.curve_ if each.trade_off == reranker.trade_off_)
        axes.plot([served.ndcg], [served.ils], marker="*", markersize=14, color="black")
        axes.axvline(reranker.curve_[0].ndcg * (1 - reranker.ndcg_budget), linestyle=":")
        axes.set(xlabel="NDCG@10", ylabel="similarity within the page (ILS@10)")
        axes.legend()


def _objectives(report: Report, pipeline: Pipeline) -> None:
    assert pipeline.ranking.second_ is not None
    second = pipeline.ranking.second_.objective
    caption = (
        f"Validation: one point a weight of the second objective ({second}); full points are those"
        " no other beats on both counts. Weight 0 is the first objective alone."
    )
    with figure(report, "Two objectives", caption, table="rankers") as axes:
        points = pipeline.ranking.pareto_
        axes.plot([each.ndcg for each in points], [each.value for each in points], color="#9bb8d3")
        for each in points:
            fill = "#2c6fbb" if each.efficient else "white"
            axes.plot([each.ndcg], [each.value], marker="o", color="#2c6fbb", markerfacecolor=fill)
            label = f"{each.weights['second']:g}"
            axes.annotate(label, (each.ndcg, each.value), xytext=(4, 4), textcoords="offset points")
        unit = "minutes" if second == "watch" else "rating"
        axes.set(xlabel="NDCG@10", ylabel=f"mean {unit} of what was chosen")


def _cold_start(report: Report, cold: Table) -> None:
    caption = "NDCG@10 of users held out whole, by how many of their items are known."
    with figure(report, "Cold start", caption, table=cold.name) as axes:
        known = [int(column.split("=")[1]) for column in cold.columns]
        for row in cold.rows:
            values = [row.values.get(column) for column in cold.columns]
            if None in values:
                style = "--" if "tree" in row.name else ":"
                value = float(values[0])  # type: ignore[arg-type]
                axes.axhline(value, linestyle=style, color="black", label=row.name)
            else:
                axes.plot(known, values, marker="o", label=row.name)  # type: ignore[arg-type]
        axes.set(xlabel="known items", ylabel="NDCG@10")
        axes.legend()


def _importance(report: Report, pipeline: Pipeline) -> None:
    gain = pipeline.ranking.ranker_.importance()
    order = np.argsort(gain)[-15:]
    names = np.array(pipeline.feature_names())[order]
    caption = "Total gain of a feature's splits."
    with figure(report, "What the ranker looks at", caption, table="rankers") as axes:
        axes.barh(names, gain[order] / max(gain.sum(), 1e-9))
        axes.set(xlabel="share of gain")


def _popularity(report: Report, scorer: Scorer, lists: dict[str, Candidates]) -> None:
    caption = "Popularity rank of the recommended items: further right reaches the long tail."
    order = np.argsort(np.argsort(-scorer.counts, kind="stable"), kind="stable")
    with figure(report, "Reach into the long tail", caption, table="sources left out") as axes:
        for name in ("popularity", "als", "two-tower", "content", "+ re-ranking"):
            if name not in lists:  # a source left out
                continue
            page = lists[name].item_ids[:, :PAGE]
            ranks = np.sort(order[page[page != MISSING]])
            axes.plot(ranks, np.linspace(0, 1, len(ranks)), label=name)
        axes.set(xlabel="popularity rank of a recommended item", ylabel="share of recommendations")
        axes.legend()
