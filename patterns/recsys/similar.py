"""What is like an item, by each way of seeing it: `python -m patterns.recsys.similar --item 50`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Interval

from common import config, console
from common.config import CheckedConfig

NAME = "recsys"
WAYS = ("als", "item-knn", "ease", "two-tower", "content")


@dataclass(frozen=True)
class SimilarConfig(CheckedConfig):
    """Which item, by which source."""

    item: str = ""
    """Id of the item, as in the training data; empty for the most taken one."""
    by: Literal["als", "item-knn", "ease", "two-tower", "content", "all"] = "all"
    """als, item-knn, ease, two-tower, content, or all."""
    k: Annotated[int, Interval(ge=1, le=1000)] = 5
    """Items wanted."""
    run: str = "latest"
    """latest, production, or a run's folder."""
    runs: Path = Path("runs")
    """Folder of the runs."""


def main(settings: SimilarConfig) -> None:
    """Look up and print."""
    from common.artifacts import open_run
    from patterns.recsys.pipeline import Pipeline
    from patterns.recsys.stages.reasons import similar

    run = open_run(settings.run, name=NAME, runs=settings.runs)
    pipeline = Pipeline.load(run.pipeline)
    catalogue = pipeline.catalogue
    most_taken = int(pipeline.histories_.sum(axis=0).argmax())
    item = catalogue.item_row(settings.item) if settings.item else most_taken
    console.info(f"{catalogue.titles[item]} · {run.version}")
    for way in WAYS if settings.by == "all" else (settings.by,):
        items, scores = similar(pipeline, item, settings.k, way)
        console.info(f"by {way}:" + (" nothing" if not len(items) else ""))
        for like, score in zip(items, scores, strict=True):
            console.info(
                f"    {score:6.3f}  {catalogue.titles[like]}  [{catalogue.item_ids[like]}]"
            )


if __name__ == "__main__":
    config.run(main, {"default": SimilarConfig()}, description=__doc__)
