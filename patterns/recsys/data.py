"""What a row and a split mean in recommendation: dataset -> catalogue and three windows in time.

A row is an event: a user took an item at a time. The data is cut twice in time, for everyone at
once, so that nothing later teaches about anything earlier:

    train   candidate sources learn here
    valid   rankers are fitted and every choice is made here
    test    read once, for the report

What a request and its answer are is in `requests`.

Legend: `N` items, `G` genres, `U` users, `S` user attributes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from patterns.recsys.config import Config, DataConfig, SplitConfig
from patterns.recsys.requests import Events

if TYPE_CHECKING:
    from data.tables import Interactions, Source

PUBLIC, SIMULATED = "movielens-100k", "simulated-movies"


@dataclass(frozen=True)
class Catalogue:
    """What is known of users and items apart from events; row numbers are the ids inside."""

    item_ids: np.ndarray  # (N,) str, the ids outside
    titles: np.ndarray  # (N,) str
    genres: np.ndarray  # (N, G) float32, 0 or 1
    genre_names: tuple[str, ...]
    years: np.ndarray  # (N,) float32, NaN where unknown
    user_ids: np.ndarray  # (U,) str
    segments: np.ndarray  # (U, S) int64: codes of age band, gender, occupation; 0 is unknown
    segment_sizes: tuple[int, ...]


@dataclass(frozen=True)
class Splits:
    """The three windows and the catalogue."""

    source: Source
    catalogue: Catalogue
    train: Events
    valid: Events
    test: Events


def load(config: Config) -> Interactions:
    """Read the dataset that `config` names."""
    import data

    if config.dataset == "csv":
        return _own_file(config.data)
    name, notice = data.choose(config.dataset, public=PUBLIC, simulated=SIMULATED)
    if name == SIMULATED:
        table = data.load(
            name, seed=config.seed, users=config.world_users, events=config.world_events
        )
    else:
        table = data.load(name)
    return replace(table, source=replace(table.source, notice=notice or table.source.notice))


def split(table: Interactions, config: SplitConfig) -> Splits:
    """Cut the events in time; those of one second stay on one side."""
    from common.evaluation.splits import temporal_split

    frame = _checked(table.interactions).sort("timestamp", "user_id", "item_id")
    catalogue = _catalogue(table, frame)
    events = Events(
        _codes(frame["user_id"], catalogue.user_ids),
        _codes(frame["item_id"], catalogue.item_ids),
        frame["rating"].fill_null(float("nan")).to_numpy().astype(np.float32),
        frame["timestamp"].to_numpy().astype(np.int64),
    )
    train_share = 1.0 - config.valid_share - config.test_share
    parts = temporal_split(events.times, (train_share, config.valid_share, config.test_share))
    train, valid, test = (events.part(rows) for rows in parts)
    return Splits(table.source, catalogue, train, valid, test)


def _own_file(config: DataConfig) -> Interactions:
    from data.files import interactions_from_csv

    if config.path is None:
        raise ValueError("data.path: --dataset csv needs --data.path FILE")
    return interactions_from_csv(
        config.path,
        user=config.user,
        item=config.item,
        rating=config.rating,
        timestamp=config.timestamp,
    )


def _checked(frame: pl.DataFrame) -> pl.DataFrame:
    if frame["timestamp"].null_count():
        raise ValueError(
            f"timestamp: {frame['timestamp'].null_count():,} events have none, and the split is in"
            " time; use a dataset with times (movielens-1m needs the official archive)"
        )
    if frame.height < 100:
        raise ValueError(f"interactions: {frame.height} events are too few; give at least 100")
    return frame


def _catalogue(table: Interactions, frame: pl.DataFrame) -> Catalogue:
    """Collect users and items; ids that occur only in events are added without attributes."""
    item_ids = pl.concat([table.items["item_id"], frame["item_id"]]).unique(maintain_order=True)
    items = pl.DataFrame({"item_id": item_ids}).join(table.items, on="item_id", how="left")
    user_ids = pl.concat([table.users["user_id"], frame["user_id"]]).unique(maintain_order=True)
    users = pl.DataFrame({"user_id": user_ids}).join(table.users, on="user_id", how="left")
    genres, names = _genres(items)
    segments, sizes = _segments(users)
    titles = items["title"] if "title" in items.columns else items["item_id"]
    years = items["year"] if "year" in items.columns else pl.Series([None] * items.height)
    return Catalogue(
        item_ids=items["item_id"].to_numpy().astype(str),
        titles=titles.fill_null("").to_numpy().astype(str),
        genres=genres,
        genre_names=names,
        years=years.cast(pl.Float32).fill_null(float("nan")).to_numpy(),
        user_ids=users["user_id"].to_numpy().astype(str),
        segments=segments,
        segment_sizes=sizes,
    )


def _genres(items: pl.DataFrame) -> tuple[np.ndarray, tuple[str, ...]]:
    """Give the genres as 0/1 columns; without any there is one empty column."""
    if "genres" not in items.columns:
        return np.zeros((items.height, 1), dtype=np.float32), ("none",)
    exploded = items.with_row_index("row").select("row", "genres").explode("genres").drop_nulls()
    names = sorted(exploded["genres"].unique().to_list()) or ["none"]
    matrix = np.zeros((items.height, len(names)), dtype=np.float32)
    column = {name: index for index, name in enumerate(names)}
    matrix[exploded["row"].to_numpy(), [column[name] for name in exploded["genres"]]] = 1.0
    return matrix, tuple(names)


def _segments(users: pl.DataFrame) -> tuple[np.ndarray, tuple[int, ...]]:
    """Code age band, gender and occupation; 0 is unknown."""
    columns, sizes = [], []
    if "age" in users.columns:
        age = users["age"].cast(pl.Float32).fill_null(float("nan")).to_numpy()
        bands = np.digitize(age, [18, 25, 35, 45, 50, 56]) + 1
        columns.append(np.where(np.isnan(age), 0, bands))
        sizes.append(8)
    for name in ("gender", "occupation"):
        if name in users.columns:
            values = users[name].cast(pl.String).fill_null("")
            known = sorted(set(values) - {""})
            code = {value: index for index, value in enumerate(known, start=1)}
            columns.append(np.array([code.get(value, 0) for value in values]))
            sizes.append(len(known) + 1)
    if not columns:
        return np.zeros((users.height, 1), dtype=np.int64), (1,)
    return np.stack(columns, axis=1).astype(np.int64), tuple(sizes)


def _codes(values: pl.Series, known: np.ndarray) -> np.ndarray:
    """Give the row number of each value in `known`, which holds all of them."""
    table = pl.DataFrame({"value": known, "code": np.arange(len(known))})
    frame = pl.DataFrame({"value": values.cast(pl.String)})
    return frame.join(table, on="value", how="left", maintain_order="left")["code"].to_numpy()
