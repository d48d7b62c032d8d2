"""Build, evaluate and save a fraud detector: `python -m patterns.fraud.train`.

data -> train | wait | valid | wait | test -> features -> rules, models -> decision -> artifact
"""

from __future__ import annotations

from pathlib import Path

from common import artifacts, console
from common.config import run as run_command
from patterns.fraud.config import PRESETS, Config

NAME = "fraud"


def main(config: Config) -> Path | None:
    """Train and return the run's folder; with `--protocol`, print its table and return nothing."""
    from patterns.fraud import protocols
    from patterns.fraud.data import load, split
    from patterns.fraud.evaluate import evaluate
    from patterns.fraud.pipeline import Pipeline

    table = load(config)
    console.header(NAME, table.source, config)
    if config.protocol != "none":
        with console.stage(config.protocol):
            found = protocols.run(config.protocol, table.frame, start=table.start)
        console.table(found)
        console.info(found.caption)
        return None
    splits = split(table, config.split)

    pipeline = Pipeline.from_config(config, splits.frame.columns)
    with console.stage("features") as stage:
        parts = pipeline.prepare(splits)
        stage.note(f"{len(pipeline.features.names)} features of {splits.frame.height:,} payments")
    with console.stage("rules") as stage:
        rules = pipeline.fit_rules(parts.train, parts.valid)
        stage.note(f"valid AP {rules.valid_ap:.3f}")
    with console.stage("models") as stage:
        served = pipeline.fit_models(parts.train, parts.valid)
        stage.note(f"{len(pipeline.variants) - 1} on {len(parts.train):,} payments")
        stage.note(f"best {served.name}, valid AP {served.valid_ap:.3f}")
    with console.stage("feature state"):
        pipeline.remember(splits)
    with console.stage("evaluation"):
        report = evaluate(pipeline, splits, parts, config)
    if table.source.name == protocols.DATASET:
        with console.stage("protocol") as stage:
            report.tables.append(protocols.run(protocols.NAMES[0], table.frame, start=table.start))
            stage.note(f"{protocols.NAMES[0]}, in the report beside the published figures")

    run = artifacts.save(pipeline, report, config, name=NAME, profile=pipeline.profile(parts.train))
    console.summary(report, run, next_command=f"python -m patterns.fraud.serve --run {run}")
    return run


if __name__ == "__main__":
    run_command(main, PRESETS, description=__doc__)
