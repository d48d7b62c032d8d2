"""Build, evaluate and save a text classifier: `python -m patterns.nlp.classification.train`.

It takes BANKING77 if available, else simulated intents; `--dataset csv --data.path questions.csv`
takes your own texts; `--model distilbert-base-uncased` fine-tunes another transformer.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from common import artifacts, console
from common.config import run as run_command
from patterns.nlp.classification.config import NAME, PRESETS, Config

if TYPE_CHECKING:
    from common.console import Stage
    from patterns.nlp.classification.pipeline import Pipeline


def main(config: Config) -> Path:
    """Train and return the run's folder."""
    from patterns.nlp.classification.data import load, split
    from patterns.nlp.classification.evaluate import evaluate
    from patterns.nlp.classification.pipeline import Pipeline
    from patterns.nlp.classification.stages.score import score_name

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
        stage.note(f"valid {score_name(splits.valid.labels)} {pipeline.valid_score_:.3f}")
    if pipeline.frozen is not None:
        with console.stage("frozen") as stage:
            pipeline.fit_frozen(splits)
            stage.note(f"valid {score_name(splits.valid.labels)} {pipeline.valid_score_:.3f}")
    if config.model != "tfidf":
        with console.stage("encoder") as stage:
            pipeline.fit_encoder(splits, checkpoints=checkpoints, resume=config.resume)
            stage.note(f"valid {score_name(splits.valid.labels)} {pipeline.valid_score_:.3f}")
    if pipeline.student is not None:
        with console.stage("student") as stage:
            pipeline.fit_student(splits, checkpoints=checkpoints, resume=config.resume)
            stage.note(f"valid {score_name(splits.valid.labels)} {pipeline.valid_score_:.3f}")
    if config.runtime != "torch" and pipeline.can_export:
        with console.stage("export") as stage:
            pipeline.fit_export(splits)
            _note_checks(stage, pipeline)
    with console.stage("temperature") as stage:
        pipeline.fit_temperature(splits)
        stage.note(f"T = {pipeline.temperature_:.2f}")
    with console.stage("scope") as stage:
        pipeline.fit_scope(splits)
        stage.note(f"{pipeline.scope_.method} from {pipeline.scope_.threshold_:.2f}")
    with console.stage("evaluation"):
        report = evaluate(pipeline, splits)

    run = artifacts.save(pipeline, report, config, name=NAME, profile=pipeline.profile(splits))
    next_command = f"python -m patterns.nlp.classification.serve --run {run}"
    console.summary(report, run, next_command=next_command)
    return run


def _note_checks(stage: Stage, pipeline: Pipeline) -> None:
    assert pipeline.parity_ is not None
    stage.note(f"max |Δ logit| {pipeline.parity_.max_difference:.1e}")
    stage.note(f"same label {pipeline.parity_.agreement:.4f}")
    if pipeline.gate_ is not None:
        stage.note(f"int8: same label {pipeline.gate_.agreement:.4f}")


if __name__ == "__main__":
    run_command(main, PRESETS, description=__doc__)
