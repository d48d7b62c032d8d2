"""Build, evaluate and save an image classifier: `python -m patterns.vision.classification.train`.

It takes Fashion-MNIST if available, else the bundled digits; `--dataset folder --data.path photos/`
takes your own images, a folder per class.
"""

from __future__ import annotations

from pathlib import Path

from common import artifacts, console
from common.config import run as run_command
from patterns.vision.classification.config import NAME, PRESETS, Config


def main(config: Config) -> Path:
    """Train and return the run's folder."""
    from patterns.vision.classification.data import load, split
    from patterns.vision.classification.evaluate import evaluate
    from patterns.vision.classification.pipeline import Pipeline

    table = load(config)
    console.header(NAME, table.source, config)
    with console.stage("data") as stage:
        splits = split(table, config)
        stage.note(
            f"{len(splits.train):,} train, {len(splits.valid):,} valid, {len(splits.test):,} test"
        )

    pipeline = Pipeline.from_config(config, splits)
    checkpoints = artifacts.checkpoints(config, NAME, splits.source)
    with console.stage("baseline") as stage:
        pipeline.fit_baseline(splits)
        stage.note(f"valid accuracy {pipeline.valid_score_:.3f}")
    if config.model != "linear":
        with console.stage("network") as stage:
            pipeline.fit_network(splits, checkpoints=checkpoints, resume=config.resume)
            name = pipeline.served_.name
            stage.note(f"serves {name}, valid accuracy {pipeline.valid_scores_[name]:.3f}")
    with console.stage("temperature") as stage:
        pipeline.fit_temperature(splits)
        stage.note(f"T = {pipeline.temperature_:.2f}")
    with console.stage("evaluation"):
        report = evaluate(pipeline, splits)

    run = artifacts.save(pipeline, report, config, name=NAME, profile=pipeline.profile(splits))
    next_command = f"python -m patterns.vision.classification.serve --run {run}"
    console.summary(report, run, next_command=next_command)
    return run


if __name__ == "__main__":
    run_command(main, PRESETS, description=__doc__)
