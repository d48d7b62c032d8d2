"""Build, evaluate and save a fraud detector: `python -m patterns.fraud.train`.

data -> train | wait | valid | wait | test -> features -> choice, rules, models -> artifact
"""

from __future__ import annotations

from pathlib import Path

from common import artifacts, console
from common.config import run as run_command
from patterns.fraud.config import NAME, PRESETS, Config


def main(config: Config) -> Path | None:
    """Train and return the run's folder; with `--protocol`, print its tables and return nothing."""
    from patterns.fraud import protocols
    from patterns.fraud.data import load, split
    from patterns.fraud.evaluate import evaluate
    from patterns.fraud.pipeline import Pipeline

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
    with console.stage("features") as stage:
        pipeline.fit_features(splits)
        stage.note(f"{len(pipeline.features.names)} features of {splits.frame.height:,} payments")
    with console.stage("choice") as stage:
        pipeline.fit_choice(splits)
        stage.note(f"{len(pipeline.choice.judged_)} candidates over {config.model.folds} windows")
    with console.stage("rules") as stage:
        pipeline.fit_rules(splits)
        stage.note(f"valid AP {pipeline.rules.valid_ap_:.3f}")
    with console.stage("models") as stage:
        pipeline.fit_models(splits)
        stage.note(f"{len(pipeline.models)} on {len(splits.train):,} payments")
        stage.note(f"served {pipeline.served_.name}, valid AP {pipeline.served_.valid_ap_:.3f}")
    with console.stage("feature state"):
        pipeline.fit_state(splits)
    with console.stage("evaluation") as stage:
        report = evaluate(pipeline, splits)
        if table.source.name == protocols.DEFAULT.dataset:
            report.tables += protocols.run(protocols.DEFAULT.name, table, config)
            stage.note(f"{protocols.DEFAULT.name} beside the published figures")

    run = artifacts.save(pipeline, report, config, name=NAME, profile=pipeline.profile(splits))
    console.summary(report, run, next_command=f"python -m patterns.fraud.serve --run {run}")
    return run


if __name__ == "__main__":
    run_command(main, PRESETS, description=__doc__)
