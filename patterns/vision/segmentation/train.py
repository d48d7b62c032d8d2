"""Train a segmenter: load, split, fit, evaluate, save.

`python -m patterns.vision.segmentation.train` takes the nuclei of the 2018 Data Science Bowl, or
simulated ones where they cannot be had; `--dataset folder --data.path cells/` takes your own images
and label maps; `--protocol dsb-96` runs the published protocol.
"""

from __future__ import annotations

from pathlib import Path

from common import artifacts, console
from common.config import run as run_command
from patterns.vision.segmentation.config import PRESETS, Config

NAME = "vision/segmentation"


def main(config: Config) -> Path:
    """Run the whole of it; returns the folder of the run."""
    from patterns.vision.images import image_profile
    from patterns.vision.segmentation.data import load, split
    from patterns.vision.segmentation.evaluate import evaluate
    from patterns.vision.segmentation.pipeline import Pipeline

    table = load(config)
    console.header(NAME, table.source, config)
    with console.stage("split") as stage:
        splits = split(table, config)
        stage.note(f"{len(splits.train)} train, {len(splits.valid)} valid, {len(splits.test)} test")
    pipeline = Pipeline.from_config(config)

    if config.model == "unet":
        with console.stage("unet") as stage:
            checkpoint = artifacts.checkpoints(config, NAME, splits.source)
            pipeline.fit_network(splits, checkpoint=checkpoint, resume=config.resume)
            assert pipeline.network is not None and pipeline.network.history_ is not None
            history = pipeline.network.history_
            stage.note(f"valid IoU {max(history.valid):.3f}, epoch {(history.best_epoch or 0) + 1}")
    else:
        pipeline.fit_network(splits)
    with console.stage("postprocess") as stage:
        pipeline.fit_postprocess(splits)
        post = pipeline.postprocess
        stage.note(f"threshold {post.threshold}, smoothing {post.smoothing}")
    with console.stage("evaluate"):
        report = evaluate(pipeline, splits, seed=config.seed)

    profile = image_profile(splits.train.images)
    run = artifacts.save(pipeline, report, config, name=NAME, profile=profile)
    console.summary(report, run, f"python -m patterns.vision.segmentation.serve --run {run}")
    return run


if __name__ == "__main__":
    run_command(main, PRESETS, description="Segmentation: which pixels belong to which object?")
