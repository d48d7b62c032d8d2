"""Build, evaluate and save a search: `python -m patterns.search_ranking.train`.

data -> documents, train | valid | test queries -> index and vectors -> fusion -> ranker
-> re-ranker -> report -> artifact
"""

from __future__ import annotations

import shlex
from pathlib import Path

from common import artifacts, console
from common.config import run as run_command
from patterns.search_ranking.config import NAME, PRESETS, Config

SEARCH = "python -m patterns.search_ranking.search"


def main(config: Config) -> Path:
    """Train and return the run's folder."""
    from patterns.search_ranking.data import load, split
    from patterns.search_ranking.evaluate import evaluate
    from patterns.search_ranking.pipeline import Pipeline

    table = load(config)
    console.header(NAME, table.source, config)
    with console.stage("data") as stage:
        splits = split(table, config)
        stage.note(
            f"{len(splits.train):,} train, {len(splits.valid):,} valid, {len(splits.test):,} test"
        )

    pipeline = Pipeline.from_config(config, splits)
    with console.stage("candidates") as stage:
        pipeline.fit_candidates(splits)
        stage.note(f"{splits.documents.height:,} documents, {pipeline.dense.encoder.name}")
        stage.note(pipeline.bm25.in_words())
    with console.stage("fusion") as stage:
        pipeline.fit_fusion(splits)
        hybrid = pipeline.hybrid
        stage.note(f"{pipeline.goal_} {hybrid.valid_quality_:.4f}")
        how = "scaled scores" if hybrid.constant_ is None else f"constant {hybrid.constant_:g}"
        stage.note(f"{how}, lexical weight {hybrid.lexical_weight_}")
    with console.stage("ranking") as stage:
        pipeline.fit_ranker(splits)
        stage.note(
            f"valid NDCG@10 {pipeline.ranker.valid_ndcg_:.4f}, {pipeline.ranker.trees_} trees"
        )
    with console.stage("re-ranking") as stage:
        pipeline.fit_reranker(splits)
        stage.note(f"over {pipeline.lists.served_}, trade-off {pipeline.reranker.trade_off_}")
    with console.stage("evaluation"):
        report = evaluate(pipeline, splits)

    run = artifacts.save(pipeline, report, config, name=NAME, profile=pipeline.profile(splits))
    example = shlex.quote(pipeline.example)
    console.summary(report, run, next_command=f"{SEARCH} {example} --run {run}")
    return run


if __name__ == "__main__":
    run_command(main, PRESETS, description=__doc__)
