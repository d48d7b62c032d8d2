"""Build, evaluate and save a segmenter: `python -m patterns.vision.segmentation.train`.

It uses the nuclei of the 2018 Data Science Bowl, or simulated ones if they are not available, and
finds separate objects; `--task semantic` (or `--dataset camvid`) tells a class for each pixel.
`--dataset folder --data.path cells/` uses your own images and masks; `--protocol dsb-96` runs the
published protocol.
"""

from __future__ import annotations

from pathlib import Path

from common import artifacts, console
from common.config import run as run_command
from patterns.vision.segmentation.config import NAME, PRESETS, Config


def main(config: Config) -> Path | None:
    """Train and return the run's folder; with `--protocol`, print its tables and return nothing."""
    from patterns.vision.segmentation import protocols
    from patterns.vision.segmentation.data import load, split
    from patterns.vision.segmentation.evaluate import evaluate
    from patterns.vision.segmentation.pipeline import Pipeline

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
    with console.stage("baseline"):
        pipeline.fit_baseline(splits)
    if pipeline.network is not None:
        with console.stage("network") as stage:
            pipeline.fit_network(splits, checkpoints=checkpoints, resume=config.resume)
            stage.note(f"{pipeline.network.parameters():,} weights")
            stage.note(f"valid IoU {pipeline.valid_iou_:.3f}")
    with console.stage("postprocess") as stage:
        pipeline.fit_postprocess(splits)
        stage.note(pipeline.postprocess.chosen())
    with console.stage("evaluation"):
        report = evaluate(pipeline, splits)

    run = artifacts.save(pipeline, report, config, name=NAME, profile=pipeline.profile(splits))
    next_command = f"python -m patterns.vision.segmentation.serve --run {run}"
    console.summary(report, run, next_command=next_command)
    return run


if __name__ == "__main__":
    run_command(main, PRESETS, description=__doc__)
