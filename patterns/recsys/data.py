"""What a row and a split mean in recommendation: dataset -> catalogue and three windows in time.

A row is an event: a user took an item at a time. The data is cut twice in time, for everyone at
once, so that nothing later teaches about anything earlier:

    train   candidate sources learn here
    valid   rankers are fitted and every choice is made here
    test    read once, for the report

What a request and its answer are is in `requests`.

Legend: `E` events.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from patterns.recsys.catalogue import Catalogue
from patterns.recsys.config import Config, DataConfig, SplitConfig
from patterns.recsys.requests import Events

if TYPE_CHECKING:
    from data.tables import Interactions, Source

PUBLIC, SIMULATED = "movielens-100k", "simulated-movies"


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
    from data.tables import Interactions

    if config.dataset == "csv":
        return _own_file(config.data)
    return data.load_table(
        Interactions,
        config.dataset,
        public=PUBLIC,
        offline=SIMULATED,
        seed=config.seed,
        users=config.world_users,
        events=config.world_events,
    )


def split(table: Interactions, config: SplitConfig) -> Splits:
    """Cut the events in time; those of one second stay on one side."""
    from common.evaluation.splits import temporal_split

    frame = _checked(table.interactions).sort("timestamp", "user_id", "item_id")
    catalogue = Catalogue.from_table(table.items, table.users, frame)
    events = Events(
        _codes(frame["user_id"], catalogue.user_ids),
        _codes(frame["item_id"], catalogue.item_ids),
        frame["rating"].fill_null(float("nan")).to_numpy().astype(np.float32),
        frame["timestamp"].to_numpy().astype(np.int64),
    )
    train_share = 1.0 - config.valid_share - config.test_share
    shares = (train_share, config.valid_share, config.test_share)
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


def _codes(values: pl.Series, known: np.ndarray) -> np.ndarray:
    """Give the row number of each value in `known`, which holds all of them."""
    table = pl.DataFrame({"value": known, "code": np.arange(len(known))})
    frame = pl.DataFrame({"value": values.cast(pl.String)})
    return frame.join(table, on="value", how="left", maintain_order="left")["code"].to_numpy()
