"""Train an object detector: load, split, fit, evaluate, save.

`python -m patterns.vision.detection.train` takes the blood cells of BCCD, or simulated ones where
they cannot be had; `--dataset voc --data.path folder/` takes your own pictures in Pascal-VOC form.
"""

from __future__ import annotations

from pathlib import Path

from common import artifacts, console
from common.config import run as run_command
from patterns.vision.detection.config import PRESETS, Config

NAME = "vision/detection"


def main(config: Config) -> Path:
    """Run the whole of it; returns the folder of the run."""
    from patterns.vision.detection.data import load, split
    from patterns.vision.detection.evaluate import evaluate
    from patterns.vision.detection.pipeline import Pipeline
    from patterns.vision.images import image_profile

    table = load(config)
    console.header(NAME, table.source, config)
    splits = split(table)
    pipeline = Pipeline.from_config(config)

    with console.stage("blobs") as stage:
        pipeline.fit_baseline(splits)
        stage.note(f"{len(splits.train):,} training pictures")
    with console.stage("yolo") as stage:
        checkpoint = artifacts.checkpoints(config, NAME, splits.source)
        pipeline.fit_detector(splits, checkpoint=checkpoint, resume=config.resume)
        assert pipeline.detector is not None and pipeline.detector.history_ is not None
        stage.note(f"{pipeline.detector.parameters():,} weights")
        stage.note(f"valid mAP@.5 {max(pipeline.detector.history_.valid):.3f}")
    with console.stage("thresholds") as stage:
        pipeline.fit_thresholds(splits.valid)
        pairs = zip(pipeline.label_names, pipeline.thresholds, strict=True)
        stage.note(", ".join(f"{name} {value:.2f}" for name, value in pairs))
    with console.stage("evaluate"):
        report = evaluate(pipeline, splits, seed=config.seed)

    profile = image_profile(splits.train.images)
    run = artifacts.save(pipeline, report, config, name=NAME, profile=profile)
    console.summary(report, run, f"python -m patterns.vision.detection.serve --run {run}")
    return run


if __name__ == "__main__":
    run_command(main, PRESETS, description="Object detection: what is in this picture, and where?")
