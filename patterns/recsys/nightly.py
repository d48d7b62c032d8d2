"""The nightly job: embeddings, index and everybody's page anew, swapped in under a running server.

    python -m patterns.recsys.nightly                         the data that the run was trained on
    python -m patterns.recsys.nightly --dataset csv --data.path events.csv --workers 2

    events -> sources fitted on all of them -> pages of all users, shard by shard -> checks -> a run

The ranker stays: it learned how far each signal can be trusted, which does not change overnight.
What the night makes is a run like any other, `pages.parquet` included, and `latest` moves to it in
one step; a server started with `--follow-seconds` serves it from then on. Every step is kept in
`.nightly-…` beside the runs as it is done, so a killed job goes on where it was. Shards know
nothing of each other: `--workers` maps them over processes, and any engine that maps could do it
over machines that share the folder. A night that fails its checks publishes nothing.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import shutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import polars as pl
from annotated_types import Interval

from common import artifacts, console
from common.artifacts import Run
from common.atomic import written_aside
from common.config import run as run_command
from common.evaluation.report import Report
from patterns.recsys.config import NAME, Config, DataOptions
from patterns.recsys.data import Splits, continued, load, split
from patterns.recsys.entities.pages import FILE, Shards, as_frame
from patterns.recsys.evaluation.night import night_table, profile_of_users

if TYPE_CHECKING:
    from patterns.recsys.pipeline import Pipeline

KEPT = ("candidates", "ranking", "reranking")


@dataclass(frozen=True)
class NightlyConfig(Config):
    """Without `--dataset` the night reads the data that the run was trained on, as it is now."""

    run: str = "latest"
    """The run whose ranker and settings stay: latest, production, or a folder."""
    top: Annotated[int, Interval(ge=1, le=1000)] = 50
    """Items of each page."""
    shard: Annotated[int, Interval(ge=1, le=1_000_000)] = 1_000
    """Users of one shard."""
    workers: Annotated[int, Interval(ge=1, le=256)] = 1
    """Processes that make pages."""
    least_full: Annotated[float, Interval(ge=0, le=1)] = 0.99
    """Least share of users who must get a whole page; else nothing is published."""


def main(config: NightlyConfig) -> Path:
    """Run the night and return the folder of the run it published."""
    _check_flags(config)
    before = artifacts.open_run(config.run, name=NAME, runs=config.runs)
    config = _continued(config, before)
    table = load(config)
    console.header("recsys nightly", table.source, config)
    with console.stage("data") as stage:
        splits = split(table, config)
        stage.note(f"{table.interactions.height:,} events")
    work = _work(config, before, splits)
    with console.stage("embeddings") as stage:
        stage.note("kept" if (work / "pipeline").is_dir() else "fitted on all events")
        pipeline = _refreshed(config, before, splits, work)
    with console.stage("pages") as stage:
        made, kept = _make_pages(config, pipeline, work)
        stage.note(f"{made} shards made, {kept} kept")
    pages = Shards(work / "pages", len(pipeline.catalogue.user_ids), config.shard).read()
    found = night_table(
        pipeline, pages, top=config.top, least_full=config.least_full, before=before
    )
    report = Report(NAME, splits.source, [found], notices=[*splits.notices, *pipeline.notices])
    report.metric, report.served = "whole pages", "tonight"
    _check_newest(config, before)
    profile = profile_of_users(pipeline, config.seed)
    run = artifacts.save(_WithPages(pipeline, pages), report, config, name=NAME, profile=profile)
    shutil.rmtree(work)
    console.summary(report, run, next_command="python -m patterns.recsys.serve --follow-seconds 5")
    return run


_UNSET = vars(DataOptions())


def _check_flags(config: NightlyConfig) -> None:
    """Refuse settings that the night does not read."""
    for name in KEPT:
        if getattr(config, name) != getattr(Config(), name):
            raise ValueError(
                f"{name}: the night keeps the settings of the run; leave out --{name}.*, or train"
                " anew with it"
            )


def _check_newest(config: NightlyConfig, before: Run) -> None:
    """Refuse to publish over a run that was trained meanwhile."""
    if config.run == "latest":
        newest = artifacts.resolve("latest", name=NAME, runs=config.runs)
        if newest != before.path:
            raise ValueError(
                f"run: {newest.name} was published while the night worked on {before.version};"
                " nothing is published, and the newer run stays. Start the night again"
            )


def _continued(config: NightlyConfig, before: Run) -> NightlyConfig:
    """Take the sources' settings from the run and, where no dataset is named, its data."""
    trained = before.manifest["config"]
    kept: Any = {name: replace(getattr(config, name), **trained[name]) for name in KEPT}
    config = replace(config, **kept)
    files = {key: trained["data"][key] for key in NightlyConfig.own_files}
    named: dict[str, Any] = {key: value and Path(value) for key, value in files.items()}
    named["context"] = tuple(trained["data"]["context"])
    if config.dataset != "auto":
        given = {key: value for key, value in vars(config.data).items() if value != _UNSET[key]}
        if config.dataset == trained["dataset"]:  # columns are called as they were
            given = trained["data"] | named | given
        data = replace(config.data, **given)
        return replace(config, data=data, split=replace(config.split, **trained["split"]))
    chosen = trained["dataset"]
    return replace(
        config,
        dataset=before.manifest["dataset"]["name"] if chosen == "auto" else chosen,
        data=replace(config.data, **(trained["data"] | named)),
        world=replace(config.world, **trained["world"]),
        split=replace(config.split, **trained["split"]),
        seed=trained["seed"],
    )


@dataclass(frozen=True)
class _WithPages:
    """A pipeline that is saved together with everybody's page."""

    pipeline: Pipeline
    pages: pl.DataFrame

    def save(self, folder: Path) -> None:
        self.pipeline.save(folder)
        self.pages.write_parquet(folder / FILE)


def _work(config: NightlyConfig, before: Run, splits: Splits) -> Path:
    """Return the folder of this very night: the same run, data and page go on where they were."""
    told = [before.version, splits.source.name, sorted(splits.source.checksums.items()),
            len(splits.train), int(splits.test.times.max()), config.top, config.shard]  # fmt: skip
    digest = hashlib.sha256(json.dumps(told).encode()).hexdigest()[:12]
    folder = Path(config.runs) / NAME / f".nightly-{digest}"
    (folder / "pages").mkdir(parents=True, exist_ok=True)
    return folder


def _refreshed(config: NightlyConfig, before: Run, splits: Splits, work: Path) -> Pipeline:
    """Fit sources and statistics on all events, or read what a killed night had fitted."""
    from patterns.recsys.pipeline import Pipeline

    kept = work / "pipeline"
    if kept.is_dir() and (found := _loaded(kept)) is not None:
        return found
    shutil.rmtree(kept, ignore_errors=True)
    trained = Pipeline.load(before.pipeline)
    splits = continued(trained.catalogue, splits, run=before.version)
    pipeline = Pipeline.from_config(config, splits, trained=trained)
    every = replace(splits, train=splits.train.joined(splits.valid).joined(splits.test))
    checkpoints = work / "checkpoints"
    pipeline.fit_candidates(every, checkpoints=checkpoints, resume=checkpoints.is_dir())
    with written_aside(kept) as folder:
        pipeline.save(folder)
    return Pipeline.load(kept)


def _loaded(folder: Path) -> Pipeline | None:
    """Read a kept pipeline; None where it cannot be read: a power cut may leave empty files."""
    from patterns.recsys.pipeline import Pipeline

    try:
        return Pipeline.load(folder)
    except Exception as cause:  # each format fails in its own way
        console.notice(f"{folder}: cannot be read ({cause}); fitted anew")
        return None


def _make_pages(config: NightlyConfig, pipeline: Pipeline, work: Path) -> tuple[int, int]:
    """Make the pages of all users that are not made yet; returns shards made and kept."""
    shards = Shards(work / "pages", len(pipeline.catalogue.user_ids), config.shard)
    left = shards.missing()
    for _ in console.progress(_mapped(config, pipeline, shards, left), "pages", len(left)):
        pass
    return len(left), shards.count - len(left)


def _mapped(
    config: NightlyConfig, pipeline: Pipeline, shards: Shards, numbers: list[int]
) -> Iterator[Path]:
    """Make shards one after the other here, or side by side in processes of their own."""
    if config.workers == 1 or len(numbers) < 2:
        for number in numbers:
            yield _make_shard(pipeline, shards, number, config.top)
        return
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        config.workers, spawn, initializer=_load_worker, initargs=(shards.folder.parent,)
    ) as pool:
        asked = [pool.submit(_worker, shards, number, config.top) for number in numbers]
        for finished in as_completed(asked):
            yield finished.result()


_of_this_process: dict[str, Pipeline] = {}


def _load_worker(work: Path) -> None:
    from patterns.recsys.pipeline import Pipeline

    _of_this_process["pipeline"] = Pipeline.load(work / "pipeline")


def _worker(shards: Shards, number: int, top: int) -> Path:
    return _make_shard(_of_this_process["pipeline"], shards, number, top)


def _make_shard(pipeline: Pipeline, shards: Shards, number: int, top: int) -> Path:
    """Write the pages of the users of one shard; returns the file."""
    users, catalogue = shards.users(number), pipeline.catalogue
    found = pipeline.recommend(pipeline.requests_for(users, [[]] * len(users)), top)
    items, user_ids = found.items, catalogue.user_ids[users]
    frame = as_frame(user_ids, items.item_ids, items.scores, found.found_by, catalogue)
    return shards.write(number, frame)


if __name__ == "__main__":
    presets = {"default": NightlyConfig()}
    run_command(main, presets, description="Make embeddings, index and everybody's page anew.")
