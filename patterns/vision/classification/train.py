"""Train an image classifier: load, split, fit, evaluate, save.

`python -m patterns.vision.classification.train` takes Fashion-MNIST, or the bundled digits where
it cannot be had; `--dataset folder --data.path photos/` takes your own images, a folder per class.
"""

from __future__ import annotations

from pathlib import Path

from common import artifacts, console
from common.config import run as run_command
from patterns.vision.classification.config import PRESETS, Config

NAME = "vision/classification"


def main(config: Config) -> Path:
    """Run the whole of it; returns the folder of the run."""
    from patterns.vision.classification.data import load, split
    from patterns.vision.classification.evaluate import evaluate
    from patterns.vision.classification.pipeline import Pipeline
    from patterns.vision.images import image_profile

    images = load(config)
    console.header(NAME, images.source, config)
    splits = split(images, config)
    pipeline = Pipeline.from_config(config)

    with console.stage("linear") as stage:
        pipeline.fit_baseline(splits)
        assert pipeline.baseline is not None and pipeline.baseline.history_ is not None
        stage.note(f"valid accuracy {max(pipeline.baseline.history_.valid):.3f}")
    if config.model != "linear":
        with console.stage(config.model) as stage:
            checkpoint = artifacts.checkpoints(config, NAME, splits.source)
            pipeline.fit_network(splits, checkpoint=checkpoint, resume=config.resume)
            assert pipeline.network is not None and pipeline.network.history_ is not None
            history = pipeline.network.history_
            stage.note(
                f"valid accuracy {max(history.valid):.3f}, epoch {(history.best_epoch or 0) + 1}"
            )
    with console.stage("temperature") as stage:
        pipeline.fit_temperature(splits)
        stage.note(f"T = {pipeline.temperature:.2f}")
    with console.stage("evaluate"):
        report = evaluate(pipeline, splits, seed=config.seed)

    profile = image_profile(list(splits.train_images[:5000]))
    run = artifacts.save(pipeline, report, config, name=NAME, profile=profile)
    console.summary(report, run, f"python -m patterns.vision.classification.serve --run {run}")
    return run


if __name__ == "__main__":
    run_command(main, PRESETS, description="Image classification: what does this picture show?")
