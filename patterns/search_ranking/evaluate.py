"""Pipeline + test queries -> report: each source alone, then what every stage adds.

Two protocols, because two thirds of what a search of the whole corpus finds was judged by nobody:

    end to end          the whole corpus is searched. "judged" leaves the unjudged out of a list
                        before it is scored (Sakai 2007, condensed lists) and flatters whoever finds
                        odd documents; "full" counts them as not relevant and punishes what the
                        judges never saw. The truth lies between; the share of unjudged says where.
    judged candidates   each scorer orders the documents judged for the query, as published work on
                        this data does; `evaluate_judged.py` has it.

Queries are the independent unit of every interval. Test queries are read here and nowhere else.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from common.evaluation import latency, ranking
from common.evaluation.bootstrap import interval, paired_difference
from common.evaluation.report import Estimate, Report, Row, Table, figure
from common.retrieval import Candidates
from patterns.search_ranking.data import JudgedQueries, Splits
from patterns.search_ranking.evaluate_judged import ablation_table, judged_table, lowest_ranks
from patterns.search_ranking.pipeline import Pipeline, Queries

PAGE, DEPTH = 10, 100
# The textbook's three boxes; reasons come on top, and the whole is the sum.
BUDGETS_MS = {
    "candidates": 10.0,
    "ranking": 100.0,
    "re-ranking": 10.0,
    "reasons": 30.0,
    "all": 150.0,
}
COLUMNS = (
    "Recall@100",
    "NDCG@10 judged",
    "NDCG@10 full",
    "Recall@10",
    "MRR",
    "P@10",
    "unjudged@10",
)
WITH_INTERVALS = COLUMNS[:3]
BASELINE = "BM25, whole text"
TIMED = 300


def evaluate(pipeline: Pipeline, splits: Splits) -> Report:
    """Measure every stage on the test queries."""
    test = splits.test
    queries = pipeline.encode(test.texts)
    lists = _lists(pipeline, queries)
    scores = {name: _metrics(found, test) for name, found in lists.items()}
    report = Report("search_ranking", splits.source, notices=list(pipeline.notices))
    report.tables = [
        _headline(scores, test, keep=pipeline.keep),
        judged_table(pipeline, queries, test, splits.source.name),
        _steps_table(scores),
        ablation_table(pipeline, queries, test),
        _slices_table(pipeline, scores, test),
        _rules_table(pipeline, queries, lists["+ ranking"], test),
    ]
    report.printed = 2
    report.latency = _latencies(pipeline, test.texts)
    _draw(report, pipeline, lists, test)
    return report


def _lists(pipeline: Pipeline, queries: Queries) -> dict[str, Candidates]:
    """The list of each source alone and after each stage, the baseline first."""
    whole = [
        pipeline.bm25.retrieve(queries.texts[at : at + 256], DEPTH, weights={"text": 1.0})
        for at in range(0, len(queries), 256)
    ]
    lexical, nearest = pipeline.sources(queries)
    merged = pipeline.hybrid.merge(lexical, nearest, max(DEPTH, pipeline.keep)).candidates
    ranked = pipeline.rank(queries, merged.head(pipeline.keep))
    return {
        BASELINE: Candidates.concatenate(whole, width=DEPTH),
        "BM25, by field": lexical.head(DEPTH),
        "dense": nearest.head(DEPTH),
        "hybrid": merged,
        "+ ranking": ranked,
        "+ re-ranking": pipeline.rerank(queries, ranked, DEPTH),
    }


def _metrics(found: Candidates, judged: JudgedQueries) -> dict[str, np.ndarray]:
    """Each metric per query (B,)."""
    known = judged.gains_of(found.item_ids, unjudged=-1.0)  # (B, K), -1 where nobody judged
    full = np.maximum(known, 0.0)
    total = (judged.grades > 0).sum(axis=1)
    shown = (found.item_ids[:, :PAGE] >= 0).sum(axis=1)
    unjudged = (known[:, :PAGE] < 0).sum(axis=1) / np.maximum(shown, 1)
    return {
        "Recall@100": ranking.recall(full, total, DEPTH),
        "Recall@10": ranking.recall(full, total, PAGE),
        "NDCG@10 judged": ranking.ndcg(_condensed(known), judged.grades, PAGE),
        "NDCG@10 full": ranking.ndcg(full, judged.grades, PAGE),
        "MRR": ranking.mrr(full),
        "P@10": ranking.precision(full, PAGE),
        "unjudged@10": unjudged,
    }


def _condensed(known: np.ndarray) -> np.ndarray:
    """Lists without their unjudged documents, moved up and padded with 0: (B, K)."""
    order = np.argsort(known < 0, axis=1, kind="stable")
    return np.maximum(np.take_along_axis(known, order, axis=1), 0.0)


def _headline(scores: dict[str, dict[str, np.ndarray]], test: JudgedQueries, *, keep: int) -> Table:
    rows = []
    for name, metrics in scores.items():
        cells: dict[str, float | Estimate | str | None] = {
            metric: Estimate(float(values.mean()), *interval(values))
            if metric in WITH_INTERVALS
            else float(values.mean())
            for metric, values in metrics.items()
        }
        rows.append(Row(name, cells, baseline=name == BASELINE))
    caption = (
        f"{len(test):,} test queries against the whole corpus; the ranker orders the first"
        f" {keep} candidates. judged: unjudged documents are left"
        " out of the list; full: they count as not relevant, as they do in MRR and P@10."
    )
    return Table("end to end", COLUMNS, tuple(rows), caption)


def _steps_table(scores: dict[str, dict[str, np.ndarray]]) -> Table:
    """The paired difference that each step makes."""
    steps = (
        ("hybrid", BASELINE, "Recall@100"),
        ("hybrid", "BM25, by field", "Recall@100"),
        ("hybrid", "BM25, by field", "Recall@10"),
        ("hybrid", "dense", "Recall@100"),
        ("+ ranking", "hybrid", "NDCG@10 judged"),
        ("+ ranking", "hybrid", "NDCG@10 full"),
        ("+ re-ranking", "+ ranking", "NDCG@10 full"),
    )
    rows = []
    for after, before, metric in steps:
        change = paired_difference(scores[after][metric], scores[before][metric])
        gain = Estimate(change.value, change.low, change.high)
        rows.append(Row(f"{after} over {before}", {"metric": metric, "gain": gain}))
    return Table("what each step adds", ("metric", "gain"), tuple(rows), "Paired by query.")


def _slices_table(
    pipeline: Pipeline, scores: dict[str, dict[str, np.ndarray]], test: JudgedQueries
) -> Table:
    """NDCG@10 (judged) by length of the query, by its rarest word and by answers to find."""
    words = np.array([len(text.split()) for text in test.texts])
    rarest = lowest_ranks(pipeline, test.texts)
    answers = (test.grades > 0).sum(axis=1)
    middle = np.median(rarest)
    slices = {
        "1 word": words == 1,
        "2 words": words == 2,
        "3 words": words == 3,
        "4 words or more": words >= 4,
        "rarest word in few documents": rarest <= middle,
        "rarest word in many documents": rarest > middle,
        "1 relevant document": answers == 1,
        "2 to 5 relevant": (answers > 1) & (answers <= 5),
        "over 5 relevant": answers > 5,
    }
    shown = (BASELINE, "dense", "hybrid", "+ ranking")
    rows = []
    for name, members in slices.items():
        if members.any():
            cells = {key: float(scores[key]["NDCG@10 judged"][members].mean()) for key in shown}
            rows.append(Row(name, {"queries": f"{members.sum():,}", **cells}))
    return Table("NDCG@10 judged, by slice", ("queries", *shown), tuple(rows))


def _rules_table(
    pipeline: Pipeline, queries: Queries, ranked: Candidates, test: JudgedQueries
) -> Table:
    """What diversity and each kind of business rule costs, the ranker's own order first."""
    from patterns.search_ranking.stages.reranking import Reranker
    from patterns.search_ranking.stages.rules import Rule

    chosen = pipeline.reranker.trade_off
    variants: dict[str, tuple[float, tuple[Rule, ...]]] = {
        "the ranker's order": (1.0, ()),
        f"MMR, trade-off {chosen}": (chosen, ()),
        "cap: 2 of a director": (1.0, (Rule("cap", "director", most=2),)),
        "demote: under 50 votes": (1.0, (Rule("demote", "votes", below=50, weight=0.3),)),
        "boost: since 2010": (1.0, (Rule("boost", "year", above=2009, weight=0.1),)),
        "filter: before 1980": (1.0, (Rule("filter", "year", below=1980),)),
    }
    rows = []
    for name, (trade_off, rules) in variants.items():
        reranker = Reranker(depth=pipeline.reranker.depth, rules=rules)
        reranker.trade_off = trade_off
        reranker.prepare(pipeline.documents, pipeline.dense.vectors_)
        found = reranker.rerank(queries.texts, ranked, DEPTH)
        metrics = _metrics(found, test)
        page = found.item_ids[:, :PAGE]
        alike = ranking.intra_list_similarity(pipeline.dense.vectors_, page)
        cells = {
            "NDCG@10 full": float(metrics["NDCG@10 full"].mean()),
            "NDCG@10 judged": float(metrics["NDCG@10 judged"].mean()),
            "ILS@10": float(alike.mean()),
        }
        rows.append(Row(name, cells))
    caption = "ILS is the mean cosine between the documents of a page: lower is more diverse."
    columns = ("NDCG@10 full", "NDCG@10 judged", "ILS@10")
    return Table("price of a rule", columns, tuple(rows), caption)


def _latencies(pipeline: Pipeline, texts: tuple[str, ...]) -> list[latency.Latency]:
    """Time single queries stage by stage, on one thread, the query's encoding included."""
    from threadpoolctl import threadpool_limits

    singles = [(text,) for text in texts[:TIMED]]
    encoded = [pipeline.encode(single) for single in singles]
    found = [(query, pipeline.retrieve(query).candidates) for query in encoded]
    ranked = [(query, pipeline.rank(query, candidates)) for query, candidates in found]
    pages = [(query, pipeline.rerank(query, order, PAGE).item_ids[0]) for query, order in ranked]
    measure = partial(_measure, pipeline)
    with threadpool_limits(1):
        return [
            measure("candidates", lambda p, single: p.retrieve(p.encode(single)), singles),
            measure("ranking", lambda p, pair: p.rank(*pair), found),
            measure("re-ranking", lambda p, pair: p.rerank(*pair, PAGE), ranked),
            measure("reasons", lambda p, pair: p.explain(*pair), pages),
            measure("all", lambda p, single: p.search(single, PAGE), singles),
        ]


def _measure(pipeline: Pipeline, stage: str, call, inputs) -> latency.Latency:  # type: ignore[no-untyped-def]
    return latency.measure(
        stage, lambda each: call(pipeline, each), inputs, budget_ms=BUDGETS_MS[stage]
    )


def _draw(
    report: Report, pipeline: Pipeline, lists: dict[str, Candidates], test: JudgedQueries
) -> None:
    caption = "Share of the relevant documents among the first k, by list."
    with figure(report, "Funnel", caption) as axes:
        ks = [1, 3, 10, 30, 100]
        total = (test.grades > 0).sum(axis=1)
        for name in list(lists)[:5]:
            gains = test.gains_of(lists[name].item_ids)
            recalls = [float(ranking.recall(gains, total, k).mean()) for k in ks]
            axes.plot(ks, recalls, marker="o", label=name)
        axes.set(xlabel="k", ylabel="Recall@k", xscale="log")
        axes.legend(frameon=False)
    caption = "Share of the loss that the splits on each feature took away."
    with figure(report, "What the ranker looks at", caption, size=(6.4, 5.0)) as axes:
        top = list(pipeline.ranker.importance().items())[:18][::-1]
        axes.barh([name for name, _ in top], [share for _, share in top])
        axes.set(xlabel="share of gain")
    caption = "Validation NDCG@10 (full) against the trade-off of MMR; the line is what was chosen."
    with figure(report, "Price of diversity", caption) as axes:
        trade_offs, values = zip(*pipeline.reranker.curve_, strict=True)
        axes.plot(trade_offs, values, marker="o")
        axes.axvline(pipeline.reranker.trade_off, linestyle=":", color="black")
        axes.set(xlabel="trade-off (1 = the ranker alone)", ylabel="NDCG@10")
