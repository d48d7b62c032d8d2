"""Train a text classifier: load, split, fit, export, evaluate, save.

`python -m patterns.nlp.classification.train` takes BANKING77, or simulated intents where it cannot
be had; `--dataset csv --data.path questions.csv` takes your own texts; `--model
distilbert-base-uncased` fine-tunes another transformer.
"""

from __future__ import annotations

from pathlib import Path

from common import artifacts, console
from common.config import run as run_command
from patterns.nlp.classification.config import PRESETS, Config

NAME = "nlp/classification"


def main(config: Config) -> Path:
    """Run the whole of it; returns the folder of the run."""
    from patterns.nlp.classification.data import input_profile, load, split
    from patterns.nlp.classification.evaluate import evaluate
    from patterns.nlp.classification.pipeline import Pipeline

    table = load(config)
    console.header(NAME, table.source, config)
    splits = split(table, config)
    pipeline = Pipeline.from_config(config)

    with console.stage("tf-idf") as stage:
        pipeline.fit_baseline(splits)
        score = (pipeline.logits(splits.valid_texts).argmax(1) == splits.valid_labels).mean()
        stage.note(f"valid accuracy {score:.3f}")
    if config.model != "tfidf":
        with console.stage("encoder") as stage:
            checkpoint = artifacts.checkpoints(config, NAME, splits.source) / "encoder"
            pipeline.fit_encoder(splits, checkpoint=checkpoint, resume=config.resume)
            score = (pipeline.logits(splits.valid_texts).argmax(1) == splits.valid_labels).mean()
            assert pipeline.history is not None
            stage.note(f"valid accuracy {score:.3f}, {len(pipeline.history.valid)} epochs")
    if pipeline.kind == "encoder" and config.runtime == "onnx":
        with console.stage("export") as stage:
            pipeline.export(splits)
            assert pipeline.parity is not None
            stage.note(f"max |Δ logit| {pipeline.parity.max_difference:.1e}")
            stage.note(f"same label {pipeline.parity.agreement:.4f}")
    with console.stage("temperature") as stage:
        pipeline.fit_temperature(splits)
        stage.note(f"T = {pipeline.temperature:.2f}")
    with console.stage("evaluate"):
        report = evaluate(pipeline, splits, seed=config.seed)

    profile = input_profile(splits.train_texts, splits.label_names, splits.train_labels)
    run = artifacts.save(pipeline, report, config, name=NAME, profile=profile)
    console.summary(report, run, f"python -m patterns.nlp.classification.serve --run {run}")
    return run


if __name__ == "__main__":
    run_command(main, PRESETS, description="Text classification: which label does a text have?")
