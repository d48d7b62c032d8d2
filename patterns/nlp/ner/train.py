"""Build, evaluate and save a tagger of named entities: `python -m patterns.nlp.ner.train`.

It takes WNUT-17 if available, else simulated messages; `--dataset conll --data.path train.conll`
takes your own tagged words; `--model bert-base-cased` fine-tunes another transformer.
"""

from __future__ import annotations

from pathlib import Path

from common import artifacts, console
from common.config import run as run_command
from patterns.nlp.ner.config import NAME, PRESETS, Config


def main(config: Config) -> Path | None:
    """Train and return the run's folder; with `--protocol`, print its tables and return nothing."""
    from patterns.nlp.ner import protocols
    from patterns.nlp.ner.data import load, split
    from patterns.nlp.ner.evaluate import evaluate
    from patterns.nlp.ner.pipeline import Pipeline

    config = protocols.with_dataset(config)
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
    with console.stage("baseline") as stage:
        pipeline.fit_baseline(splits)
        for name, score in pipeline.valid_scores_.items():
            stage.note(f"{name}: valid F1 {score:.3f}")
    if pipeline.encoder is not None:
        with console.stage("encoder") as stage:
            pipeline.fit_encoder(splits, checkpoints=checkpoints, resume=config.resume)
            stage.note(f"valid F1 {pipeline.valid_score_:.3f}")
    if config.runtime == "onnx" and pipeline.served_ is pipeline.encoder is not None:
        with console.stage("export") as stage:
            pipeline.fit_export(splits)
            assert pipeline.parity_ is not None
            stage.note(f"max |Δ score| {pipeline.parity_.max_difference:.1e}")
            stage.note(f"same tags {pipeline.parity_.agreement:.4f}")
    with console.stage("evaluation"):
        report = evaluate(pipeline, splits)

    run = artifacts.save(pipeline, report, config, name=NAME, profile=pipeline.profile(splits))
    console.summary(report, run, next_command=f"python -m patterns.nlp.ner.serve --run {run}")
    return run


if __name__ == "__main__":
    run_command(main, PRESETS, description=__doc__)
