"""Build, evaluate and save a two-stage recommender: `python -m patterns.recsys.train`.

data -> train | valid | test -> sources -> ranker -> re-ranker -> report -> artifact
"""

from __future__ import annotations

from pathlib import Path

from common import artifacts, console
from common.config import run as run_command
from patterns.recsys.config import NAME, PRESETS, Config


def main(config: Config) -> Path | None:
    """Train and return the run's folder; with `--protocol`, print its tables and return nothing."""
    from patterns.recsys import protocols
    from patterns.recsys.data import load, split
    from patterns.recsys.evaluate import evaluate
    from patterns.recsys.pipeline import Pipeline

    table = load(config)
    console.header(NAME, table.source, config)
    if config.protocol != "none":
        with console.stage(config.protocol):
            found = protocols.run(config.protocol, table, config)
        console.tables(found)
        return None
    with console.stage("data") as stage:
        splits = split(table, config)
        stage.note(
            f"{len(splits.train):,} train, {len(splits.valid):,} valid, {len(splits.test):,} test"
        )

    pipeline = Pipeline.from_config(config, splits)
    checkpoints = artifacts.checkpoints(config, NAME, splits.source)
    with console.stage("candidates") as stage:
        pipeline.fit_candidates(splits, checkpoints=checkpoints, resume=config.resume)
        stage.note(f"{len(pipeline.sources.names)} sources on {len(splits.train):,} events")
    with console.stage("ranking") as stage:
        pipeline.fit_ranker(splits, checkpoints=checkpoints, resume=config.resume)
        valid = [f"{name} {ndcg:.4f}" for name, ndcg in pipeline.ranking.quality_.items()]
        stage.note(f"valid NDCG@10: {', '.join(valid)}")
        stage.note(f"served: {pipeline.serving.served_}")
    with console.stage("re-ranking") as stage:
        pipeline.fit_reranker(splits)
        stage.note(f"trade-off {pipeline.reranker.trade_off_}")
    with console.stage("refresh") as stage:
        pipeline.refresh(splits, checkpoints=checkpoints, resume=config.resume)
        stage.note(f"sources on {len(splits.train) + len(splits.valid):,} events")
    with console.stage("evaluation"):
        report = evaluate(pipeline, splits)

    run = artifacts.save(pipeline, report, config, name=NAME, profile=pipeline.profile(splits))
    console.summary(report, run, next_command=f"python -m patterns.recsys.serve --run {run}")
    return run


if __name__ == "__main__":
    run_command(main, PRESETS, description=__doc__)
