"""Ask the latest run from the command line: `python -m patterns.recsys.recommend --user 42`.

Prints the page: each item with its score, the sources that proposed it and the reason, then the
time each stage took. `--recent` adds items taken since training, by id, and makes a page for a
user nobody knows.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from annotated_types import Interval

from common import config, console
from common.config import CheckedConfig

NAME = "recsys"


@dataclass(frozen=True)
class RecommendConfig(CheckedConfig):
    """Whom to recommend to, and from which run."""

    user: str = ""
    """Id of the user, as in the training data; empty for somebody new."""
    recent: tuple[str, ...] = ()
    """Ids of items taken since training, oldest first."""
    k: Annotated[int, Interval(ge=1, le=1000)] = 10
    """Length of the page."""
    run: str = "latest"
    """latest, production, or a run's folder."""
    runs: Path = Path("runs")
    """Folder of the runs."""


def main(settings: RecommendConfig) -> None:
    """Recommend and print."""
    import time

    import numpy as np

    from common.artifacts import open_run
    from patterns.recsys.pipeline import Pipeline
    from patterns.recsys.stages.reasons import reason

    run = open_run(settings.run, name=NAME, runs=settings.runs)
    pipeline = Pipeline.load(run.pipeline)
    catalogue = pipeline.catalogue
    user = catalogue.user_row(settings.user)
    if settings.user and user < 0:
        console.notice(f"user {settings.user!r} is not known: served as somebody new")
    recent = [catalogue.item_row(item) for item in settings.recent]
    request = pipeline.requests_for(np.array([user]), [recent], now=int(time.time()))
    pipeline.recommend(request, settings.k)  # warm, so that times mean it
    found = pipeline.recommend(request, settings.k)
    who = f"user {settings.user}" if user >= 0 else "somebody new"
    console.info(f"{who} · {request.seen.nnz} items taken · {run.version}")
    items, scores = found.items.item_ids[0], found.items.scores[0]
    for place, item in enumerate(items[items >= 0], start=1):
        sources = pipeline.sources.found_by(int(found.found_by[0, place - 1]))
        console.info(f"{place:>3}. {scores[place - 1]:6.2f}  {catalogue.titles[item]}")
        console.info(f"             {reason(pipeline, request, int(item), sources)}")
        console.info(f"             found by {', '.join(sources)}")
    times = "  ".join(f"{stage} {spent:.1f} ms" for stage, spent in found.milliseconds.items())
    console.info(times)


if __name__ == "__main__":
    config.run(main, {"default": RecommendConfig()}, description=__doc__)
