"""Build, evaluate and save a two-stage recommender: `python -m patterns.recsys.train`.

data -> train | valid | test -> sources -> ranker -> re-ranker -> report -> artifact
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from common import artifacts, console
from common.config import run as run_command
from patterns.recsys.config import PRESETS, Config

NAME = "recsys"


def main(config: Config) -> Path | None:
    """Train and return the run's folder; with `--protocol`, print its table and return nothing."""
    from patterns.recsys.data import load, split
    from patterns.recsys.evaluate import evaluate
    from patterns.recsys.pipeline import Pipeline

    if config.protocol != "none":
        _protocol(config)
        return None
    table = load(config)
    console.header(NAME, table.source, config)
    splits = split(table, config.split)
    checkpoints = artifacts.checkpoints(config, NAME, splits.source)

    pipeline = Pipeline.from_config(config, splits.catalogue)
    with console.stage("candidates") as stage:
        pipeline.fit_candidates(splits.train, checkpoints=checkpoints, resume=config.resume)
        stage.note(f"{len(pipeline.sources.names)} sources on {len(splits.train):,} events")
    with console.stage("ranking") as stage:
        quality = pipeline.fit_ranker(
            splits.train, splits.valid, splits.shown, checkpoints=checkpoints, resume=config.resume
        )
        for name, ndcg in quality.items():
            stage.note(f"{name} valid NDCG@10 {ndcg:.4f}")
    with console.stage("re-ranking") as stage:
        reranker = pipeline.fit_reranker()
        stage.note(f"trade-off {reranker.trade_off}")
    with console.stage("refresh") as stage:
        fresh = splits.train.joined(splits.valid)
        pipeline.fit_candidates(fresh, checkpoints=checkpoints, resume=config.resume)
        stage.note(f"sources on {len(fresh):,} events")
    with console.stage("evaluation"):
        report = evaluate(pipeline, splits)

    profile = pipeline.training_profile()
    run = artifacts.save(pipeline, report, config, name=NAME, profile=profile)
    console.summary(report, run, next_command=f"python -m patterns.recsys.serve --run {run}")
    return run


def _protocol(config: Config) -> None:
    from patterns.recsys import protocols
    from patterns.recsys.data import load

    dataset = protocols.DATASETS[config.protocol]
    table = load(replace(config, dataset=dataset if config.dataset == "auto" else config.dataset))
    console.header(NAME, table.source, config)
    with console.stage(config.protocol):
        found = protocols.run(config.protocol, table, seed=config.seed)
    for each in found:
        console.table(each)
        console.info(each.caption)


if __name__ == "__main__":
    run_command(main, PRESETS, description=__doc__)
