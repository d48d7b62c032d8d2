"""Build, evaluate and save a search: `python -m patterns.search_ranking.train`.

data -> documents, train | valid | test queries -> index and vectors -> fusion -> ranker
-> re-ranker -> report -> artifact
"""

from __future__ import annotations

from pathlib import Path

from common import artifacts, console
from common.config import run as run_command
from patterns.search_ranking.config import PRESETS, Config

NAME = "search_ranking"
SEARCH = 'python -m patterns.search_ranking.search "space heist"'


def main(config: Config) -> Path:
    """Train and return the run's folder."""
    from patterns.search_ranking.data import load, split
    from patterns.search_ranking.evaluate import evaluate
    from patterns.search_ranking.pipeline import Pipeline

    table = load(config)
    splits = split(table, config.split, seed=config.seed)
    console.header(NAME, splits.source, config)

    pipeline = Pipeline.from_config(config)
    with console.stage("candidates") as stage:
        pipeline.fit_candidates(splits.documents)
        stage.note(f"{splits.documents.height:,} documents, {pipeline.encoder.name}")
    with console.stage("fusion") as stage:
        recall = pipeline.fit_fusion(splits.valid)
        chosen = f"constant {pipeline.hybrid.constant:g}, lexical {pipeline.hybrid.lexical_weight}"
        stage.note(f"valid Recall@{pipeline.keep} {recall:.4f} ({chosen})")
    with console.stage("ranking") as stage:
        ndcg = pipeline.fit_ranker(splits.train, splits.valid)
        stage.note(f"valid NDCG@10 {ndcg:.4f}, {pipeline.ranker.trees_} trees")
    with console.stage("re-ranking") as stage:
        pipeline.fit_reranker(splits.valid)
        stage.note(f"trade-off {pipeline.reranker.trade_off}")
    with console.stage("evaluation"):
        report = evaluate(pipeline, splits)

    profile = pipeline.training_profile()
    run = artifacts.save(pipeline, report, config, name=NAME, profile=profile)
    console.summary(report, run, next_command=f"{SEARCH} --run {run}")
    return run


if __name__ == "__main__":
    run_command(main, PRESETS, description=__doc__)
