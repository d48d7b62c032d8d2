"""What is drawn of search: the funnel, what the ranker looks at, the price of diversity."""

from __future__ import annotations

from collections.abc import Mapping

from common.evaluation import ranking
from common.evaluation.report import Report, figure
from common.retrieval import Candidates
from patterns.search_ranking.entities.queries import JudgedQueries
from patterns.search_ranking.pipeline import Pipeline

# Shapes: B queries


def draw(
    report: Report, pipeline: Pipeline, lists: Mapping[str, Candidates], test: JudgedQueries
) -> None:
    """Draw all figures."""
    _funnel(report, lists, test)
    _importance(report, pipeline)
    _diversity(report, pipeline)


def _funnel(report: Report, lists: Mapping[str, Candidates], test: JudgedQueries) -> None:
    caption = "Share of the relevant documents among the first k, by list."
    with figure(report, "Funnel", caption, table="end to end") as axes:
        ks = [1, 3, 10, 30, 100]
        total = (test.grades > 0).sum(axis=1)
        for name in list(lists)[:5]:
            gains = test.gains_of(lists[name].item_ids)
            recalls = [float(ranking.recall(gains, total, k).mean()) for k in ks]
            axes.plot(ks, recalls, marker="o", label=name)
        axes.set(xlabel="k", ylabel="Recall@k", xscale="log")
        axes.legend()


def _importance(report: Report, pipeline: Pipeline) -> None:
    caption = "Share of the loss that the splits on each feature took away."
    table = "ablation of features"
    with figure(report, "What the ranker looks at", caption, table=table, size=(4.4, 4.0)) as axes:
        top = list(pipeline.ranker.importance().items())[:18][::-1]
        axes.barh([name for name, _ in top], [share for _, share in top])
        axes.set(xlabel="share of gain")


def _diversity(report: Report, pipeline: Pipeline) -> None:
    caption = "Validation NDCG@10 (full) against the trade-off of MMR; the line is what was chosen."
    with figure(report, "Price of diversity", caption, table="what is served") as axes:
        trade_offs, values = zip(*pipeline.reranker.curve_, strict=True)
        axes.plot(trade_offs, values, marker="o")
        axes.axvline(pipeline.reranker.trade_off_, linestyle=":", color="black")
        axes.set(xlabel="trade-off (1 = the ranker alone)", ylabel="NDCG@10")
