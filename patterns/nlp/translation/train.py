"""Build, evaluate and save a translator: `python -m patterns.nlp.translation.train`.

It takes Multi30k if available, English to German, else a simulated language pair; `--pair de-en`
turns it round; `--dataset parallel --data.path FOLDER --pair en-de` takes your own parallel texts.
"""

from __future__ import annotations

from pathlib import Path

from common import artifacts, console
from common.config import run as run_command
from patterns.nlp.translation.config import NAME, PRESETS, Config


def main(config: Config) -> Path:
    """Train and return the run's folder."""
    from patterns.nlp.translation.data import load, split
    from patterns.nlp.translation.evaluate import evaluate
    from patterns.nlp.translation.pipeline import Pipeline

    table = load(config)
    console.header(NAME, table.source, config)
    with console.stage("data") as stage:
        splits = split(table, config)
        stage.note(" to ".join(splits.languages))
        stage.note(
            f"{len(splits.train):,} train, {len(splits.valid):,} valid, {len(splits.test):,} test"
        )

    pipeline = Pipeline.from_config(config, splits)
    checkpoints = artifacts.checkpoints(config, NAME, splits.source)
    with console.stage("baseline") as stage:
        pipeline.fit_baseline(splits)
        stage.note(f"valid BLEU {pipeline.valid_score_:.1f}")
    with console.stage("subwords") as stage:
        pipeline.fit_subwords(splits)
        assert pipeline.subwords is not None
        stage.note(f"{pipeline.subwords.size_:,} pieces")
    with console.stage("transformer") as stage:
        pipeline.fit_transformer(splits, checkpoints=checkpoints, resume=config.resume)
        assert pipeline.translator is not None
        stage.note(f"{pipeline.translator.parameters():,} weights")
        stage.note(f"{pipeline.translator.padding_:.1%} padding")
    with console.stage("search") as stage:
        pipeline.fit_search(splits)
        stage.note(f"valid BLEU {pipeline.valid_score_:.1f}, beam {pipeline.beam}")
    with console.stage("evaluation"):
        report = evaluate(pipeline, splits)

    run = artifacts.save(pipeline, report, config, name=NAME, profile=pipeline.profile(splits))
    next_command = f"python -m patterns.nlp.translation.serve --run {run}"
    console.summary(report, run, next_command=next_command)
    return run


if __name__ == "__main__":
    run_command(main, PRESETS, description=__doc__)
