"""Pipeline + test window -> report: each source alone, then what every stage adds.

One request per test user, at the middle of what the user does in the window: the first half is
known, the second is the answer, so users count equally and are independent for the bootstrap. The
whole catalogue is ranked, no negatives are sampled. Latency is of single requests, warm, on one
thread. `evaluate_pages` fills pages in every way, `evaluate_cold` holds users and items out,
`figures` draws.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from common.evaluation import latency, ranking
from common.evaluation.bootstrap import interval, paired_difference
from common.evaluation.regression import rmse
from common.evaluation.report import Estimate, Report, Row, Table
from common.retrieval import MISSING, Candidates, Fused, ordered
from patterns.recsys.data import Splits
from patterns.recsys.entities.events import Events
from patterns.recsys.entities.requests import Requests, requests_within
from patterns.recsys.evaluation.pages import online_table, pages_table
from patterns.recsys.pipeline import Pipeline
from patterns.recsys.stages.merging import merge
from patterns.recsys.stages.ranking.biased_mf import BiasedMF

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

BUDGETS_MS = {"candidates": 10.0, "ranking": 100.0, "re-ranking": 10.0, "all": 20.0}
COLUMNS = ("NDCG@10", "Recall@100", "Recall@500", "P@10", "R@10", "MRR", "ILS@10", "coverage@10",
           "novelty@10")  # fmt: skip
PAGE, DEEP = 10, 500
LONG_HISTORY = 50
MOST_ASKED = 5_000  # test users; of more so many are drawn


def evaluate(pipeline: Pipeline, splits: Splits) -> Report:
    """Measure every stage on the test window."""
    from patterns.recsys import figures
    from patterns.recsys.evaluation.cold import hold_out, new_items, new_users

    past = splits.train.joined(splits.valid)
    chosen: dict[str, Any] = {"moments": (0.5,), "most": MOST_ASKED, "seed": pipeline.config.seed}
    requests, answers, _ = requests_within(past, splits.test, splits.catalogue, **chosen)
    scorer = Scorer(pipeline, answers, requests, splits)
    merged = pipeline.retrieve(requests)
    lists = _ranked_lists(pipeline, requests, merged)
    ndcg = {name: scorer.ndcg(found) for name, found in lists.items()}
    report = Report("recsys", splits.source, notices=list(pipeline.notices))
    report.tables = [scorer.headline(lists), _gains_table(pipeline, ndcg)]
    report.printed = 2
    report.tables += [
        _without_one(pipeline, scorer, requests),
        _rankers_table(pipeline, scorer, requests, merged, lists),
        pages_table(pipeline, scorer, lists["+ ranking"]),
        _slices(ndcg, _by_history(requests)),
        _slices(ndcg, _by_attributes(pipeline, requests)),
    ]
    if scorer.truth is not None:
        steps = ("popularity", best_source(pipeline, ndcg), "merged", "+ ranking", "+ re-ranking")
        shown = {name: lists[name] for name in dict.fromkeys(steps)}
        report.tables.append(online_table(scorer.requests, scorer.truth, shown))
    if (rated := _ratings_table(past, splits)) is not None:
        report.tables.append(rated)
    held_out = hold_out(pipeline, past)
    cold = new_users(pipeline, held_out)
    for made, what in ((cold, "users"), (new_items(pipeline, held_out), "items")):
        if made is None:
            report.notices.append(f"New {what} are not measured: histories are too short for it.")
        else:
            report.tables.append(made)
    report.latency = _latencies(pipeline, requests)
    figures.draw(report, pipeline, scorer, lists, cold)
    return report


def _ranked_lists(pipeline: Pipeline, requests: Requests, merged: Fused) -> dict[str, Candidates]:
    """Return the list of each source alone and after each stage, the baseline first."""
    sources = pipeline.sources
    lists = dict(zip(sources.names, sources.lists(requests, DEEP), strict=True))
    lists["merged"] = merged.candidates
    lists["+ ranking"] = pipeline.rank(requests, merged)
    lists["+ re-ranking"] = pipeline.rerank(lists["+ ranking"], DEEP, requests)
    return lists


class Scorer:
    """The metrics of a list against the answers, and against the truth where it is planted."""

    def __init__(
        self, pipeline: Pipeline, answers: csr_matrix, requests: Requests, splits: Splits
    ) -> None:
        self.answers = answers
        self.requests = requests
        self.genres = pipeline.reranker.vectors_
        self.shares = pipeline.reranker.shares_
        self.items = len(self.genres)
        self.counts = np.asarray(pipeline.histories_.sum(axis=0)).ravel()
        self.users = int((np.diff(pipeline.histories_.indptr) > 0).sum())
        self.truth = splits.truth
        self.liking = None if self.truth is None else self.truth.liking(requests)  # (B, N) stars
        self.columns = COLUMNS if self.liking is None else (*COLUMNS, "true liking@10")

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
        """Return the means, the first two with their intervals."""
        values = self.per_user(ranked)
        cells: dict[str, float | Estimate | str | None] = {
            metric: float(np.nanmean(value)) for metric, value in values.items()
        }
        for metric in ("NDCG@10", "Recall@100"):
            cells[metric] = Estimate(float(values[metric].mean()), *interval(values[metric]))
        cells["coverage@10"] = ranking.coverage(ranked.item_ids[:, :PAGE], self.items)
        return Row(name, cells, baseline=baseline)

    def headline(self, lists: dict[str, Candidates]) -> Table:
        """Return the table of stages."""
        rows = [
            self.row(name, found, baseline=not i) for i, (name, found) in enumerate(lists.items())
        ]
        drawn = " drawn from all" if self.answers.shape[0] == MOST_ASKED else ""
        caption = (
            f"{self.answers.shape[0]:,} test users{drawn}, one request each; the whole catalogue of"
            f" {self.items:,} items is ranked. ILS is the mean cosine of genres within a page:"
            f" lower is more diverse. From `merged` on a list holds"
            f" {lists['merged'].item_ids.shape[1]} items."
        )
        if self.liking is not None:
            best = np.sort(np.where(_seen(self.requests), -np.inf, self.liking), axis=1)[:, -PAGE:]
            caption += f" The best possible page has a true liking of {best.mean():.3f} stars."
        return Table("quality", self.columns, tuple(rows), caption)


def _seen(requests: Requests) -> np.ndarray:
    return np.asarray(requests.seen.toarray() > 0)


def _mean_where(values: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Return the mean of the kept values of each row (B,); NaN where none is."""
    count = kept.sum(axis=1)
    total = np.where(kept, values, 0.0).sum(axis=1)
    return np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)


def best_source(pipeline: Pipeline, ndcg: dict[str, np.ndarray]) -> str:
    """Name the source whose own list is best."""
    return max(pipeline.sources.names, key=lambda name: ndcg[name].mean())


def _gains_table(pipeline: Pipeline, ndcg: dict[str, np.ndarray]) -> Table:
    """Return the paired difference in NDCG@10 that each step makes."""
    first, best = pipeline.sources.names[0], best_source(pipeline, ndcg)
    pairs = [
        (f"best source ({best}) over {first}", best, first),
        (f"merged over {best}", "merged", best),
        (f"ranked over {best}", "+ ranking", best),
        ("ranked over merged", "+ ranking", "merged"),
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


def _without_one(pipeline: Pipeline, scorer: Scorer, requests: Requests) -> Table:
    """Return what the merged candidates lose without each source."""
    lists = pipeline.sources.lists(requests)
    keep = pipeline.sources.keep
    column = f"Recall@{keep}"
    whole = scorer.recall(merge(lists, k=keep).candidates, keep)
    rows = [Row("all sources", {column: float(whole.mean())})]
    for place, name in enumerate(pipeline.sources.names):
        rest = merge([*lists[:place], *lists[place + 1 :]], k=keep).candidates
        change = paired_difference(scorer.recall(rest, keep), whole)
        cells: dict[str, float | Estimate | str | None] = {
            column: float(whole.mean() + change.value),
            "change": Estimate(change.value, change.low, change.high),
            "alone": float(scorer.recall(lists[place], keep).mean()),
        }
        rows.append(Row(f"without {name}", cells))
    caption = f"`alone`: the source's own {pipeline.sources.per_source} items."
    return Table("sources left out", (column, "change", "alone"), tuple(rows), caption)


def _rankers_table(
    pipeline: Pipeline,
    scorer: Scorer,
    requests: Requests,
    merged: Fused,
    lists: dict[str, Candidates],
) -> Table:
    """Return the rankers side by side on the same candidates."""
    features = pipeline.describe(requests, merged)
    item_ids = merged.candidates.item_ids
    rows = []
    for ranker in pipeline.ranking.rankers:
        served = ranker is pipeline.ranking.ranker
        ranked = ordered(item_ids, pipeline.ranking.score(features, item_ids, ranker))
        rows.append(scorer.row(ranker.name + (" (served)" if served else ""), ranked))
    caption = "The ranker to serve was chosen on validation users, not here."
    return Table("rankers", scorer.columns, tuple(rows), caption)


Slices = tuple[str, dict[str, np.ndarray]]


def _by_history(requests: Requests) -> Slices:
    """Cut by length of history: none, short, long."""
    length = np.diff(requests.seen.indptr)
    return "NDCG@10 by history", {
        "no history": length == 0,
        f"1–{LONG_HISTORY} items": (length > 0) & (length <= LONG_HISTORY),
        f"over {LONG_HISTORY} items": length > LONG_HISTORY,
    }


def _by_attributes(pipeline: Pipeline, requests: Requests) -> Slices:
    """Cut by gender, by age where it is known, and by device."""
    catalogue = pipeline.catalogue
    found: dict[str, np.ndarray] = {}
    for place, name in enumerate(catalogue.segment_names):
        codes = requests.segments[:, place]
        if name == "gender":
            told = enumerate(catalogue.values_of("gender"), start=1)
            found |= {value: codes == code for code, value in told}
        if name == "age":
            found |= {"age under 25": (codes > 0) & (codes < 3), "age 25 and over": codes >= 3}
    for code, name in enumerate(catalogue.device_names, start=1):
        found[f"device={name}"] = requests.devices == code
    return "NDCG@10 by who and where", found


def _slices(ndcg: dict[str, np.ndarray], slices: Slices) -> Table:
    """Return NDCG@10 of every list on each slice that has users."""
    rows = []
    for name, members in slices[1].items():
        if members.any():
            cells = {column: float(values[members].mean()) for column, values in ndcg.items()}
            rows.append(Row(name, {"users": str(int(members.sum())), **cells}))
    return Table(slices[0], ("users", *ndcg), tuple(rows))


def _ratings_table(past: Events, splits: Splits) -> Table | None:
    """Return the error of predicted ratings on the test window; None where nothing was rated."""
    known, asked = (events.part(~np.isnan(events.ratings)) for events in (past, splits.test))
    if not len(known) or not len(asked):
        return None
    shape = len(splits.catalogue.user_ids), len(splits.catalogue.item_ids)
    mean = float(known.ratings.mean())
    count = np.bincount(known.items, minlength=shape[1])
    total = np.bincount(known.items, weights=known.ratings - mean, minlength=shape[1])
    items = mean + total / (count + 10.0)
    model = BiasedMF(factors=16).fit(known.users, known.items, known.ratings, shape=shape)
    predicted: dict[str, Any] = {
        "global mean": np.full(len(asked), mean),
        "item mean": items[asked.items],
        "biased MF": model.predict(asked.users, asked.items),
    }
    rows = [
        Row(name, {"RMSE": rmse(asked.ratings, found)}, baseline=not i)
        for i, (name, found) in enumerate(predicted.items())
    ]
    caption = (
        f"{len(asked):,} ratings of the test window, most of them by users new since training."
    )
    return Table("predicted ratings", ("RMSE",), tuple(rows), caption)


def _latencies(pipeline: Pipeline, requests: Requests) -> list[latency.Latency]:
    """Time single requests stage by stage on one thread."""
    from threadpoolctl import threadpool_limits

    singles = [requests.part(slice(row, row + 1)) for row in range(min(len(requests), 200))]
    found = [(single, pipeline.retrieve(single)) for single in singles]
    ranked = [(pipeline.rank(*pair), PAGE, pair[0]) for pair in found]
    timed: list[tuple[str, Any, list[Any]]] = [
        ("candidates", pipeline.retrieve, singles),
        ("ranking", lambda pair: pipeline.rank(*pair), found),
        ("re-ranking", lambda page: pipeline.rerank(*page), ranked),
        ("all", lambda single: pipeline.recommend(single, PAGE), singles),
    ]
    with threadpool_limits(1):
        return [
            latency.measure(name, call, inputs, budget_ms=BUDGETS_MS[name])
            for name, call, inputs in timed
        ]
