"""Build, evaluate and save an object detector: `python -m patterns.vision.detection.train`.

It uses the blood cells of BCCD, or simulated ones if they are not available; `--dataset voc`,
`coco` or `yolo` with `--data.path folder/` takes your own images.
"""

from __future__ import annotations

from pathlib import Path

from common import artifacts, console
from common.config import run as run_command
from patterns.vision.detection.config import NAME, PRESETS, Config

MOST_NOTED = 6  # classes on the console's line


def main(config: Config) -> Path:
    """Train and return the run's folder."""
    from patterns.vision.detection.data import load, split
    from patterns.vision.detection.evaluate import evaluate
    from patterns.vision.detection.pipeline import Pipeline

    table = load(config)
    console.header(NAME, table.source, config)
    with console.stage("data") as stage:
        splits = split(table, config)
        stage.note(
            f"{len(splits.train):,} train, {len(splits.valid):,} valid, {len(splits.test):,} test"
        )

    pipeline = Pipeline.from_config(config, splits)
    checkpoints = artifacts.checkpoints(config, NAME, splits.source)
    with console.stage("baseline"):
        pipeline.fit_baseline(splits)
    with console.stage("detector") as stage:
        pipeline.fit_detector(splits, checkpoints=checkpoints, resume=config.resume)
        stage.note(f"{pipeline.detector.parameters():,} weights")
        stage.note(f"valid mAP@.5 {pipeline.valid_map_:.3f}")
    with console.stage("thresholds") as stage:
        pipeline.fit_thresholds(splits)
        pairs = zip(pipeline.label_names, pipeline.thresholds.values_, strict=True)
        noted = [f"{name} {value:.2f}" for name, value in pairs]
        stage.note(f"serves {pipeline.served_}")
        stage.note(", ".join(noted[:MOST_NOTED]) + (" …" if len(noted) > MOST_NOTED else ""))
    with console.stage("evaluation"):
        report = evaluate(pipeline, splits)

    run = artifacts.save(pipeline, report, config, name=NAME, profile=pipeline.profile(splits))
    next_command = f"python -m patterns.vision.detection.serve --run {run}"
    console.summary(report, run, next_command=next_command)
    return run


if __name__ == "__main__":
    run_command(main, PRESETS, description=__doc__)
