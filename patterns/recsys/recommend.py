"""Ask the latest run from the command line: `python -m patterns.recsys.recommend --user 42`.

Prints the page: each item with its score, the sources that proposed it and the reason, then the
time each stage took. `--recent` adds items chosen since training, by id, and makes a page for a
user nobody knows; `--context day=sun` tells what the page is for. `--like ITEM` prints what is
similar to an item instead, as each source sees it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from annotated_types import Interval

from common import config, console
from common.config import CheckedConfig
from patterns.recsys.config import NAME

if TYPE_CHECKING:
    from patterns.recsys.pipeline import Pipeline


@dataclass(frozen=True)
class RecommendConfig(CheckedConfig):
    """Whom to recommend to, and from which run."""

    user: str = ""
    """Id of the user, as in the training data; empty for somebody new."""
    recent: tuple[str, ...] = ()
    """Ids of items chosen since training, oldest first."""
    context: tuple[str, ...] = ()
    """What the page is for, such as day=sun: context columns that the run was trained with, or
    device."""
    like: str = ""
    """Id of an item: print what is similar to it instead of a page."""
    k: Annotated[int, Interval(ge=1, le=1000)] = 10
    """Length of the page, or of each list of similar items."""
    run: str = "latest"
    """latest, production, or a run's folder."""
    runs: Path = Path("runs")
    """Folder of the runs."""


def main(settings: RecommendConfig) -> None:
    """Recommend, or look up what is similar, and print."""
    from common.artifacts import open_run
    from patterns.recsys.pipeline import Pipeline

    run = open_run(settings.run, name=NAME, runs=settings.runs)
    pipeline = Pipeline.load(run.pipeline)
    if settings.like:
        _print_similar(pipeline, settings, run.version)
    else:
        _print_page(pipeline, settings, run.version)


def _print_similar(pipeline: Pipeline, settings: RecommendConfig, version: str) -> None:
    """Print the similar items of every source that can compare items."""
    catalogue = pipeline.catalogue
    item = catalogue.item_row(settings.like)
    console.info(f"similar to {catalogue.titles[item]} · {version}")
    for source in pipeline.sources:
        found = source.similar(item, settings.k)
        real = found.item_ids[0] >= 0
        if real.any():
            console.info(f"by {source.name}:")
        for row, score in zip(found.item_ids[0][real], found.scores[0][real], strict=True):
            console.info(f"    {score:6.3f}  {catalogue.titles[row]}  [{catalogue.item_ids[row]}]")


def _print_page(pipeline: Pipeline, settings: RecommendConfig, version: str) -> None:
    """Print the page with reasons and times."""
    import numpy as np

    catalogue = pipeline.catalogue
    user = catalogue.user_row(settings.user)
    if settings.user and user < 0:
        console.notice(f"user {settings.user!r} is not known: served as somebody new")
    recent = [catalogue.item_row(item) for item in settings.recent]
    context = catalogue.context_of(_told(settings.context, catalogue.contexts))
    request = pipeline.requests_for(
        np.array([user]), [recent], now=int(time.time()), contexts=context[None]
    )
    pipeline.recommend(request, settings.k)  # warm, so that the times are those of a server
    found = pipeline.recommend(request, settings.k)
    who = f"user {settings.user}" if user >= 0 else "somebody new"
    console.info(f"{who} · {request.seen.nnz} items in the history · {version}")
    items, scores = found.items.item_ids[0], found.items.scores[0]
    for place, item in enumerate(items[items >= 0]):
        names = pipeline.sources.found_by(int(found.found_by[0, place]))
        reason = pipeline.sources.reason(request, int(item), catalogue.titles, names)
        console.info(f"{place + 1:>3}. {scores[place]:6.2f}  {catalogue.titles[item]}")
        console.info(f"             {reason}")
        console.info(f"             found by {', '.join(names)}")
    times = "  ".join(f"{stage} {spent:.1f} ms" for stage, spent in found.milliseconds.items())
    console.info(times)


def _told(given: Sequence[str], columns: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return the values of context columns by name; say which value training did not know."""
    known = {}
    for each in given:
        name, _, value = each.partition("=")
        if name not in columns or not value:
            has = ", ".join(name for name, values in columns.items() if values)
            raise ValueError(
                f"context: {each!r} is not the value of a column that the run was trained with;"
                f" give NAME=VALUE, with a name out of: {has or 'none'}"
            )
        if value not in columns[name]:
            console.notice(f"{name} {value!r} is not known: it counts as not given")
        known[name] = value
    return known


if __name__ == "__main__":
    config.run(main, {"default": RecommendConfig()}, description=__doc__)
