"""What a row, a label and leakage mean in recommendation: dataset -> catalogue and three windows.

A row is an event: a user interacted with an item at a time. What a user chooses after a moment is
the label of a request at that moment (`entities/requests`). The data is cut twice in time, for
everyone at once, so that nothing later teaches about anything earlier:

    train   candidate sources learn here
    valid   rankers are fitted and every choice is made here
    test    read once, for the report

Shapes: `E` events.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from patterns.recsys.config import Config, DataOptions
from patterns.recsys.entities.catalogue import Catalogue
from patterns.recsys.entities.events import DAY, Events
from patterns.recsys.entities.exposures import Exposures
from patterns.recsys.entities.requests import Requests

if TYPE_CHECKING:
    from data.tables import Interactions, Source

PUBLIC, OFFLINE = "movielens-100k", "simulated-movies"


@dataclass(frozen=True)
class Truth:
    """What the people of a simulated world truly think and do."""

    table: Interactions
    devices: np.ndarray  # row of the world's devices by code; the unknown are taken for the first

    def liking(self, requests: Requests) -> np.ndarray:
        """Return what the users of requests think of all items: (B, N) stars."""
        from data.simulated.movies import true_preference

        return true_preference(self.table, requests.users, self._day(requests))

    def viewing(self, requests: Requests, pages: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return minutes watched and the share watched to the end of pages (B, k): two (B,)."""
        from data.simulated.movies import expected_viewing

        devices = self.devices[requests.devices]
        return expected_viewing(self.table, requests.users, self._day(requests), devices, pages)

    def _day(self, requests: Requests) -> np.ndarray:
        from data.simulated.movies import START

        return (requests.times - START) / DAY


@dataclass(frozen=True)
class Splits:
    """The three windows and the catalogue."""

    source: Source
    catalogue: Catalogue
    train: Events
    valid: Events
    test: Events
    shown: Exposures | None = None
    """What was shown in the validation window, where it was logged."""
    truth: Truth | None = None
    """What is planted in a simulated world."""
    notices: tuple[str, ...] = ()


def load(config: Config) -> Interactions:
    """Read the dataset that `config` names, or else the one that its protocol is defined on."""
    import data
    from data.tables import Interactions
    from patterns.recsys.protocols import PROTOCOLS

    name = config.dataset
    if name == "auto" and config.protocol != "none":
        name = PROTOCOLS[config.protocol].dataset
    if name == "csv":
        return _described(_own_file(config.data), config.data)
    table = data.load_table(
        Interactions,
        name,
        public=PUBLIC,
        offline=OFFLINE,
        own=config.own_datasets,
        seed=config.seed,
        users=config.world.users,
        events=config.world.events,
        items=config.world.items or None,
    )
    return _described(table, config.data)


def _described(table: Interactions, config: DataOptions) -> Interactions:
    """Add the overviews of msrd's films, where that is asked for."""
    import data

    if config.texts == "own":
        return table
    if "tmdb_id" not in table.items.columns:
        raise ValueError(
            f"data.texts: the films of msrd are found by TMDB id, which {table.source.name} does"
            " not have; use --dataset movielens-latest-small, or --data.texts own"
        )
    films = data.load("msrd")
    overviews = films.documents.select(tmdb_id="doc_id", overview="text")
    items = table.items.join(overviews, on="tmdb_id", how="left", maintain_order="left")
    found = items.height - items["overview"].null_count()
    source = replace(
        table.source,
        licence=f"{table.source.licence}; overviews: {films.source.licence}",
        checksums={**table.source.checksums, **films.source.checksums},
        rows=f"{table.source.rows}, {found:,} overviews of msrd",
    )
    return replace(table, source=source, items=items)


def split(table: Interactions, config: Config) -> Splits:
    """Cut the events in time; those of one second stay on one side."""
    from common.evaluation.splits import temporal_split

    frame = _checked(table.interactions).sort("timestamp", "user_id", "item_id")
    valid_share, test_share = config.split.valid_share, config.split.test_share
    train_share = 1.0 - valid_share - test_share
    items = _texts_until(table, frame["timestamp"].quantile(train_share))
    catalogue = Catalogue.from_table(items, table.users, frame)
    events = Events(
        _codes(frame["user_id"], catalogue.user_ids),
        _codes(frame["item_id"], catalogue.item_ids),
        frame["rating"].fill_null(float("nan")).to_numpy().astype(np.float32),
        frame["timestamp"].to_numpy().astype(np.int64),
        *_context(frame, catalogue),
    )
    shares = (train_share, valid_share, test_share)
    try:
        parts = temporal_split(events.times, shares)
    except ValueError as cause:
        raise ValueError(
            f"timestamp: {frame['timestamp'].n_unique():,} distinct times cannot be cut into"
            f" windows of {shares[0]:.2g}, {shares[1]:.2g} and {shares[2]:.2g} of the events;"
            " give events that are spread over time, or other shares by"
            " --split.valid-share and --split.test-share"
        ) from cause
    train, valid, test = (events.part(rows) for rows in parts)
    shown = _shown(table, catalogue)
    shown = shown and shown.within(valid)
    return Splits(table.source, catalogue, train, valid, test, shown, _truth(table, catalogue))


def continued(old: Catalogue, splits: Splits, *, run: str) -> Splits:
    """Return `splits` coded as the run of the catalogue `old`, whose data they must continue.

    New users and items are welcome; other items, genres or kinds of attributes are refused, since
    the ranker of `run` was not made for them.
    """
    new = splits.catalogue
    same = np.array_equal(new.item_ids[: len(old.item_ids)], old.item_ids)
    if not same or new.segment_names != old.segment_names or new.genre_names != old.genre_names:
        raise ValueError(
            f"dataset: {splits.source.name} does not continue the data of the run {run}: its items,"
            " genres or kinds of attributes differ; give the dataset that it was trained on, or"
            " train again"
        )
    return coded_as(old, splits)


def coded_as(old: Catalogue, splits: Splits) -> Splits:
    """Code attributes and devices as the ranker learned them; a new value is unknown to it."""
    new = splits.catalogue
    segments = np.zeros_like(new.segments)
    for place, name in enumerate(new.segment_names):
        codes = np.arange(new.segment_sizes[place])  # an age is a band in any data
        if name != "age":
            codes = _translated(new.values_of(name), old.values_of(name))
        segments[:, place] = codes[new.segments[:, place]]
    catalogue = replace(
        new,
        segments=segments,
        segment_sizes=old.segment_sizes,
        segment_values=old.segment_values,
        device_names=old.device_names,
    )
    devices = _translated(new.device_names, old.device_names)
    train, valid, test = (
        replace(part, devices=devices[part.devices])
        for part in (splits.train, splits.valid, splits.test)
    )
    return replace(splits, catalogue=catalogue, train=train, valid=valid, test=test)


def _translated(new: tuple[str, ...], old: tuple[str, ...]) -> np.ndarray:
    """Return the old code of each new one, 0 for the unknown and for what is new."""
    known = {value: code for code, value in enumerate(old, start=1)}
    return np.array([0, *(known.get(value, 0) for value in new)])


def _shown(table: Interactions, catalogue: Catalogue) -> Exposures | None:
    """Return the logged exposures, in order of the shelf; None where there is no log."""
    frame = table.extra.get("exposures")
    if frame is None:
        return None
    frame = frame.sort("session_id", "position")
    return Exposures(
        _codes(frame["user_id"], catalogue.user_ids),
        _codes(frame["item_id"], catalogue.item_ids),
        frame["timestamp"].to_numpy().astype(np.int64),
        frame["session_id"].to_numpy().astype(np.int64),
        frame["clicked"].to_numpy(),
    )


def _texts_until(table: Interactions, moment: float | None) -> pl.DataFrame:
    """Return the items; a text that is made of tags keeps those given in the train window."""
    tags = table.extra.get("tags")
    if tags is None or moment is None:
        return table.items
    early = (
        tags.filter(pl.col("timestamp") < moment).group_by("item_id").agg(pl.col("tag").unique())
    )
    items = table.items.drop("text", strict=False).join(
        early, on="item_id", how="left", maintain_order="left"
    )
    text = pl.col("tag").list.sort().list.join(", ").alias("text")
    return items.with_columns(text).drop("tag")


def _truth(table: Interactions, catalogue: Catalogue) -> Truth | None:
    """Return what is planted, where the dataset is a world; its rows are those of the catalogue."""
    if "world" not in table.extra:
        return None
    from data.simulated.movies import DEVICES

    return Truth(table, np.array([0, *(DEVICES.index(each) for each in catalogue.device_names)]))


def _context(frame: pl.DataFrame, catalogue: Catalogue) -> tuple[np.ndarray, np.ndarray]:
    """Return minutes watched, NaN unknown, and the device's code, 0 unknown."""
    minutes = np.full(frame.height, np.nan)
    devices = np.zeros(frame.height, np.int64)
    if "watch_seconds" in frame.columns:
        minutes = frame["watch_seconds"].cast(pl.Float64).fill_null(float("nan")).to_numpy() / 60
    if "device" in frame.columns:
        code = {name: place for place, name in enumerate(catalogue.device_names, start=1)}
        devices = frame["device"].replace_strict(code, default=0, return_dtype=pl.Int64).to_numpy()
    return minutes.astype(np.float32), devices


def _own_file(config: DataOptions) -> Interactions:
    from data.files import interactions_from_csv

    assert config.path is not None
    return interactions_from_csv(
        config.path,
        user=config.user,
        item=config.item,
        rating=config.rating,
        rating_range=config.rating_range,
        timestamp=config.timestamp,
        device=config.device,
        watch_seconds=config.watch_seconds,
        users=config.users,
        items=config.items,
        users_columns=config.users_columns,
        items_columns=config.items_columns,
        options=config,
    )


def _checked(frame: pl.DataFrame) -> pl.DataFrame:
    if frame["timestamp"].null_count():
        raise ValueError(
            f"timestamp: {frame['timestamp'].null_count():,} events have none, and the split is in"
            " time; use a dataset with times (movielens-1m needs the official archive)"
        )
    late = frame.filter(pl.col("timestamp") > time.time() + DAY)
    if late.height:
        latest = datetime.fromtimestamp(int(late["timestamp"].max()), UTC)  # type: ignore[arg-type]
        raise ValueError(
            f"timestamp: {late.height:,} events lie in the future, the last on {latest:%Y-%m-%d};"
            " all ages are counted from the latest event, so correct or remove them"
        )
    if frame.height < 100:
        raise ValueError(f"interactions: {frame.height} events are too few; give at least 100")
    return frame


def _codes(values: pl.Series, known: np.ndarray) -> np.ndarray:
    """Return the row number of each value in `known`, which holds all of them."""
    table = pl.DataFrame({"value": known, "code": np.arange(len(known))})
    frame = pl.DataFrame({"value": values.cast(pl.String)})
    return frame.join(table, on="value", how="left", maintain_order="left")["code"].to_numpy()
