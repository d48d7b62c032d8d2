"""What a row, a label and leakage mean in recommendation: dataset -> catalogue and three windows.

A row is an event: a user interacted with an item at a time. What a user chooses after a moment is
the label of a request at that moment (`entities/requests`). The data is cut twice in time, for
everyone at once, so that nothing later teaches about anything earlier; without times, of each user
by share (`entities/windows`):

    train   candidate sources learn here
    valid   rankers are fitted and every choice is made here
    test    read once, for the report

Shapes: `E` events.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from common.units import DAY
from patterns.recsys.config import Config, DataOptions
from patterns.recsys.entities.catalogue import DEVICE, VALUES, Catalogue
from patterns.recsys.entities.coding import events_of, exposures_of, recoded, recoded_events
from patterns.recsys.entities.events import Events, as_pairs, new_to
from patterns.recsys.entities.exposures import Exposures
from patterns.recsys.entities.requests import Requests
from patterns.recsys.entities.windows import PARTS, cut

if TYPE_CHECKING:
    from data.tables import Interactions, Source

PUBLIC, OFFLINE = "movielens-100k", "simulated-movies"
LEAST = 10  # users
LEAST_ASKED = 3  # of them in the validation window
MANY_REPEATS = 0.2  # share of the events from which on repeats are recommended


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

        devices = self.devices[requests.contexts[:, 0]]
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
    """Cut the events into windows (`entities/windows`) and code them."""
    frame = _checked(table.interactions, config.data)
    shares = config.split.valid_share, config.split.test_share
    shares_of_all = (1.0 - sum(shares), *shares)
    windows = cut(frame, by=config.split.by, shares=shares_of_all, seed=config.seed)
    frame, flat = _telling_ratings(windows.frame)
    moment = frame["timestamp"].quantile(shares_of_all[0]) if windows.timed else 0
    repeats, said = _repeats(frame, config.data.repeats)
    catalogue = Catalogue.from_table(
        _texts_until(table, moment), table.users, frame, contexts=config.data.context,
        timed=windows.timed, repeats=repeats,
    )  # fmt: skip
    events = events_of(frame, catalogue)
    train, valid, test = (events.part(rows) for rows in windows.rows)
    _check_asked(catalogue, train, valid, test)
    log = table.extra.get("exposures") if windows.timed else None
    shown = None if log is None else exposures_of(log, catalogue).within(valid)
    truth = _truth(table, catalogue) if windows.timed else None
    notices = (*windows.notices, *filter(None, (said, flat, _many_values(frame, catalogue))))
    return Splits(table.source, catalogue, train, valid, test, shown, truth, notices)


def continued(old: Catalogue, splits: Splits, *, run: str) -> Splits:
    """Return `splits` coded as the run of the catalogue `old`, whose data they must continue.

    New users and items are welcome; other items, genres, kinds of attributes or context columns are
    refused, since the ranker of `run` was not made for them.
    """
    new = splits.catalogue
    same = np.array_equal(new.item_ids[: len(old.item_ids)], old.item_ids)
    kinds = ("segment_names", "genre_names", "timed")
    same &= all(getattr(new, name) == getattr(old, name) for name in kinds)
    if not same or list(new.contexts) != list(old.contexts):
        raise ValueError(
            f"dataset: {splits.source.name} does not continue the data of the run {run}: its items,"
            " genres, kinds of attributes, context columns or kind of split differ; give the"
            " dataset that it was trained on, or train again"
        )
    return coded_as(old, splits)


def coded_as(old: Catalogue, splits: Splits) -> Splits:
    """Code attributes and contexts as the ranker learned them; a new value is unknown to it."""
    new = splits.catalogue
    train, valid, test = (
        recoded_events(part, new, old) for part in (splits.train, splits.valid, splits.test)
    )
    return replace(splits, catalogue=recoded(new, old), train=train, valid=valid, test=test)


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

    return Truth(
        table, np.array([0, *(DEVICES.index(each) for each in catalogue.contexts[DEVICE])])
    )


def _telling_ratings(frame: pl.DataFrame) -> tuple[pl.DataFrame, str | None]:
    """Leave ratings that are all the same out, and say so."""
    known = frame["rating"].fill_nan(None).drop_nulls().unique()
    if len(known) != 1:
        return frame, None
    notice = f"All ratings are {known[0]:g}: they tell nothing apart and are left out."
    return frame.with_columns(rating=pl.lit(None, dtype=pl.Float32)), notice


def _repeats(frame: pl.DataFrame, wanted: str) -> tuple[bool, str | None]:
    """Return whether what a user has had is recommended again, and why, where events repeat."""
    share = 1.0 - frame.select("user_id", "item_id").n_unique() / frame.height
    repeats = share >= MANY_REPEATS if wanted == "auto" else wanted == "keep"
    if not share and not repeats:
        return False, None
    way, other = ("may be recommended again", "once") if repeats else ("is left out", "keep")
    return repeats, (
        f"{share:.1%} of the events repeat an earlier pair of user and item: what a user has had"
        f" {way} (--data.repeats {other} for the other way)."
    )


def _many_values(frame: pl.DataFrame, catalogue: Catalogue) -> str | None:
    """Say which context columns have more values than are told apart."""
    found = {name: frame[name].n_unique() for name in catalogue.contexts if name in frame.columns}
    many = [f"{name} ({count:,})" for name, count in found.items() if count > VALUES + 1]
    if not many:
        return None
    return (
        f"Of the values of {', '.join(many)} the {VALUES} most frequent are told apart, the others"
        " count as unknown."
    )


def _check_asked(catalogue: Catalogue, train: Events, valid: Events, test: Events) -> None:
    """Raise where too few users can be asked, before anything is fitted."""
    shape = len(catalogue.user_ids), len(catalogue.item_ids)
    past = train.pairs(*shape)
    for name, window, least in (("validation", valid, LEAST_ASKED), ("test", test, 1)):
        chosen = window.pairs(*shape)
        asked = int((np.diff(new_to(catalogue.barred(past), chosen).indptr) > 0).sum())
        if asked < least:
            raise ValueError(
                f"events: {asked} users interacted with something new in the {name} window, too few"
                f" to judge by (at least {least}); give data of more users, or a larger"
                " --split.valid-share and --split.test-share"
            )
        past = as_pairs(past + chosen)


def check_values(config: Config, splits: Splits) -> None:
    """Raise where an objective needs values that no event has, before anything is fitted."""
    known = {"rating": splits.valid.ratings, "watch": splits.valid.minutes}
    for name in ("objective", "second"):
        wanted = getattr(config.ranking, name)
        if wanted in known and np.isnan(known[wanted]).all():
            column = {"rating": "--data.rating", "watch": "--data.watch-seconds"}[wanted]
            raise ValueError(
                f"ranking.{name}: {wanted} needs values that are known, and the validation window"
                f" has none; name their column by {column}, or leave out --ranking.{name}"
            )


def _own_file(config: DataOptions) -> Interactions:
    from data.files import EventColumns, interactions_from_csv

    parts = {name: path for name in PARTS if (path := getattr(config, name)) is not None}
    if parts and (config.path is not None or not {"train", "test"} <= parts.keys()):
        raise ValueError(
            "data.train: a split of your own is --data.train and --data.test, with --data.valid if"
            " there is one, instead of --data.path"
        )
    return interactions_from_csv(
        parts or config.path,  # type: ignore[arg-type]
        users=config.users,
        items=config.items,
        names=_names(config.names),
        users_columns=config.users_columns,
        items_columns=config.items_columns,
        options=config,
        **{each.name: getattr(config, each.name) for each in fields(EventColumns)},
    )


def _names(given: tuple[str, ...]) -> dict[str, str]:
    """Return what columns are called, of title=Book-Title and the like."""
    for each in given:
        if "=" not in each:
            raise ValueError(
                f"data.names: {each!r} does not say what is called how; give --data.names"
                " title=Book-Title"
            )
    return {ours: name for ours, _, name in (each.partition("=") for each in given)}


def _checked(frame: pl.DataFrame, config: DataOptions) -> pl.DataFrame:
    """Return the events with the columns that are optional; raise where they cannot be used."""
    for name in ("rating", "timestamp"):
        if name not in frame.columns:
            frame = frame.with_columns(pl.lit(None, dtype=pl.Float64).alias(name))
    for name in config.context:
        if name not in frame.columns:
            raise ValueError(
                f"data.context: the events have no column {name!r}, only"
                f" {', '.join(map(repr, frame.columns))}; name one of them"
            )
    late = frame.filter(pl.col("timestamp") > time.time() + DAY)
    if late.height:
        latest = datetime.fromtimestamp(int(late["timestamp"].max()), UTC)  # type: ignore[arg-type]
        raise ValueError(
            f"timestamp: {late.height:,} events lie in the future, the last on {latest:%Y-%m-%d};"
            " all ages are counted from the latest event, so correct or remove them"
        )
    for column, least in (("user_id", LEAST), ("item_id", 2)):
        count = frame[column].n_unique()
        if count < least:
            raise ValueError(
                f"{column}: {count} in {frame.height:,} events, too few to recommend from; give"
                f" data of at least {least}, and check that --data.{column[:4]} names the right"
                " column"
            )
    if frame.height < 100:
        raise ValueError(f"interactions: {frame.height} events are too few; give at least 100")
    return frame
