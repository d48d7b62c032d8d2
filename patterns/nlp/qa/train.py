"""Build, evaluate and save a question answerer: `python -m patterns.nlp.qa.train`.

It takes SQuAD if available, else a simulated gazetteer; `--dataset squad-json --data.path F.json`
takes your own questions; `--model distilbert-base-uncased` fine-tunes another reader;
`--generator smollm2-lora` lets a language model word the answers.
"""

from __future__ import annotations

from pathlib import Path

from common import artifacts, console
from common.config import run as run_command
from patterns.nlp.qa.config import NAME, PRESETS, Config


def main(config: Config) -> Path:
    """Train and return the run's folder."""
    from patterns.nlp.qa.data import load, split
    from patterns.nlp.qa.evaluate import evaluate
    from patterns.nlp.qa.pipeline import Pipeline

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
        stage.note(f"valid F1 {pipeline.valid_score_:.3f}")
    if config.model != "overlap":
        with console.stage("reader") as stage:
            pipeline.fit_reader(splits, checkpoints=checkpoints, resume=config.resume)
            stage.note(f"valid F1 {pipeline.valid_score_:.3f}")
    if config.runtime == "onnx" and pipeline.served_ is pipeline.trained_ is not None:
        with console.stage("export") as stage:
            pipeline.fit_export(splits)
            assert pipeline.parity_ is not None
            stage.note(f"max |Δ score| {pipeline.parity_.max_difference:.1e}")
    with console.stage("threshold"):
        pipeline.fit_threshold(splits)
    with console.stage("retrieval") as stage:
        pipeline.fit_retrieval(splits)
        assert pipeline.retriever is not None and pipeline.answering is not None
        stage.note(pipeline.retriever.in_words)
    with console.stage("answering") as stage:
        pipeline.fit_answering(splits)
        stage.note(f"weight {pipeline.answering.weight_:g}")
    with console.stage("index") as stage:
        pipeline.fit_index(splits)
        stage.note(f"{len(pipeline.retriever.passages_):,} passages")
    if config.generator != "none":
        with console.stage("generator"):
            pipeline.fit_generator(splits, checkpoints=checkpoints, resume=config.resume)
    with console.stage("evaluation"):
        report = evaluate(pipeline, splits)

    run = artifacts.save(pipeline, report, config, name=NAME, profile=pipeline.profile(splits))
    next_command = f"python -m patterns.nlp.qa.serve --run {run}"
    console.summary(report, run, next_command=next_command)
    return run


if __name__ == "__main__":
    run_command(main, PRESETS, description=__doc__)
