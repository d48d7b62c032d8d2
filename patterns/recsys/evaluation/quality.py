"""How good is each list, what does each stage add, and what does each source bring?"""

from __future__ import annotations

import numpy as np

from common.evaluation.bootstrap import paired_difference
from common.evaluation.report import Estimate, Row, Table
from patterns.recsys.evaluation.asked import MOST_ASKED, RERANKED, Asked
from patterns.recsys.evaluation.scorer import PAGE, Cells, Scorer
from patterns.recsys.pipeline import Pipeline
from patterns.recsys.stages.merging import merge
from patterns.recsys.stages.serving import MERGED, RANKED


def quality_table(pipeline: Pipeline, asked: Asked, scorer: Scorer) -> Table:
    """Return the list of every source and of every stage, the baseline first."""
    rows: list[Row] = []
    for name, found in asked.lists.items():
        if name == RERANKED and pipeline.serving.served_ != RANKED:
            name = f"{pipeline.serving.served_} {name}"
        rows.append(scorer.row(name, found, baseline=not rows))
    sampled = " sampled from all" if len(asked.requests) == MOST_ASKED else ""
    caption = (
        f"{len(asked.requests):,} test users{sampled}, one request each; the whole catalogue of"
        f" {scorer.items:,} items is ranked. From `merged` on a list holds"
        f" {asked.merged.candidates.item_ids.shape[1]} items"
    )
    if scorer.is_short(asked.merged.candidates):
        caption += ": Recall@500 is of the sources alone"
    caption += "."
    if "ILS@10" in scorer.columns:
        caption += " ILS is the mean cosine of genres within a page: lower is more diverse."
    if scorer.liking is not None:
        seen = np.asarray(asked.requests.barred.toarray() > 0)
        best = np.sort(np.where(seen, -np.inf, scorer.liking), axis=1)[:, -PAGE:]
        caption += f" The best possible page has a true liking of {best.mean():.3f} stars."
    return Table("quality", scorer.columns, tuple(rows), caption)


def choice_table(pipeline: Pipeline) -> Table:
    """Return what validation said of the lists that might be served."""
    rows: list[Row] = []
    for name, ndcg in pipeline.serving.valid_ndcgs_.items():
        served = "yes" if name == pipeline.serving.served_ else ""
        cells: Cells = {"valid NDCG@10": ndcg, "served": served}
        rows.append(Row(name, cells, baseline=not rows))
    points = pipeline.reranker.curve_
    chosen = [each for each in points if each.trade_off == pipeline.reranker.trade_off_]
    rows.append(Row("the one served, re-ranked", {"valid NDCG@10": chosen[0].ndcg}))
    caption = (
        "The best is served; the ranked list is by rankers that had not seen the user. Re-ranking"
        " then trades a little of it for diversity, within its budget."
    )
    return Table("what is served", ("valid NDCG@10", "served"), tuple(rows), caption)


def best_source(pipeline: Pipeline, ndcg: dict[str, np.ndarray]) -> str:
    """Name the source whose own list is best."""
    return max(pipeline.sources.names, key=lambda name: ndcg[name].mean())


def gains_table(pipeline: Pipeline, ndcg: dict[str, np.ndarray]) -> Table:
    """Return the paired difference in NDCG@10 that each step makes."""
    first, best = pipeline.sources.names[0], best_source(pipeline, ndcg)
    pairs = [
        (f"best source ({best}) over {first}", best, first),
        (f"merged over {best}", MERGED, best),
        (f"ranked over {best}", RANKED, best),
        ("ranked over merged", RANKED, MERGED),
    ]
    served = pipeline.serving.served_
    shown = "ranked" if served == RANKED else served
    pairs.append((f"re-ranked over {shown}", RERANKED, served))
    rows = []
    for name, after, before in pairs:
        change = paired_difference(ndcg[after], ndcg[before], seed=pipeline.seed)
        estimate = Estimate(change.value, change.low, change.high)
        relative = change.value / max(float(ndcg[before].mean()), 1e-9)
        rows.append(Row(name, {"NDCG@10 gain": estimate, "relative": f"{relative:+.1%}"}))
    return Table(
        "what each step adds", ("NDCG@10 gain", "relative"), tuple(rows), "Paired by user."
    )


def left_out_table(pipeline: Pipeline, asked: Asked, scorer: Scorer) -> Table:
    """Return what the merged candidates lose without each source."""
    keep = pipeline.sources.keep
    column = f"Recall@{keep}"
    whole = scorer.recall(asked.merged.candidates, keep)
    rows = [Row("all sources", {column: float(whole.mean())})]
    for place, (name, own) in enumerate(zip(pipeline.sources.names, asked.own, strict=True)):
        rest = [*asked.own[:place], *asked.own[place + 1 :]]
        if not rest:
            continue
        shares = [*pipeline.sources.shares_[:place], *pipeline.sources.shares_[place + 1 :]]
        found = scorer.recall(merge(rest, k=keep, shares=shares).candidates, keep)
        change = paired_difference(found, whole, seed=pipeline.seed)
        cells: Cells = {
            column: float(whole.mean() + change.value),
            "change": Estimate(change.value, change.low, change.high),
            "alone": float(scorer.recall(own, keep).mean()),
            "share": pipeline.sources.shares_[place],
        }
        rows.append(Row(f"without {name}", cells))
    caption = (
        f"`alone`: the source's own {pipeline.sources.per_source} items. `share`: what it counts in"
        " the merge, chosen on validation; with 0 it only fills up."
    )
    return Table("sources left out", (column, "change", "alone", "share"), tuple(rows), caption)
