"""What is known of users and items apart from what passed between them.

Inside the pattern users and items are row numbers of these tables; the ids of the outside occur
only here and in `serve`. The catalogue travels in the artifact, so a server needs no dataset.

Shapes: `N` items, `G` genres, `U` users, `S` user attributes, `C` context columns, `B` requests.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from common.atomic import write_json
from common.retrieval import MISSING

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

DEVICE = "device"

UNKNOWN = ("none",)  # the names of genres or attributes where nothing is told
VALUES = 100  # of a context column that are told apart, the most frequent ones
WORDS = ("genre_names", "segment_names", "segment_values")
IDS = {"items": ("item_ids", "titles"), "users": ("user_ids",)}


def no_column() -> np.ndarray:
    """Stand for a column that the source does not have, until the table fills it in."""
    return np.empty(0)


@dataclass(frozen=True)
class Catalogue:
    """What is known of users and items apart from events; row numbers are the ids inside."""

    item_ids: np.ndarray  # (N,) objects, str, the ids outside
    titles: np.ndarray  # (N,) objects, str
    genres: np.ndarray  # (N, G) float32, 0 or 1
    genre_names: tuple[str, ...]
    years: np.ndarray  # (N,) float32, NaN where unknown
    user_ids: np.ndarray  # (U,) objects, str
    segments: np.ndarray  # (U, S) int64: codes of age band, gender, occupation; 0 is unknown
    segment_sizes: tuple[int, ...]
    segment_names: tuple[str, ...]
    segment_values: tuple[str, ...] = ()
    """What codes 1 and up of all attributes but age stand for, as `attribute=value`."""
    texts: np.ndarray = field(default_factory=no_column)
    """(N,) objects, str: title, genres and what is written of an item; empty where nothing is."""
    runtimes: np.ndarray = field(default_factory=no_column)
    """(N,) float32 minutes, NaN where unknown."""
    contexts: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: {DEVICE: ()})
    """The context columns of events and requests, the device first, with the values of codes 1 and
    up; 0 is unknown."""
    timed: bool = True
    """Whether the times of events are known; else they only tell the windows apart."""
    repeats: bool = False
    """Whether what a user has had may be recommended again."""

    def __post_init__(self) -> None:
        """Fill in what the source does not know."""
        if not len(self.texts):
            object.__setattr__(self, "texts", self.titles)
        if not len(self.runtimes):
            object.__setattr__(self, "runtimes", np.full(len(self.item_ids), np.nan, np.float32))

    @classmethod
    def from_table(
        cls,
        items: pl.DataFrame,
        users: pl.DataFrame,
        events: pl.DataFrame,
        *,
        contexts: Sequence[str] = (),
        timed: bool = True,
        repeats: bool = False,
    ) -> Catalogue:
        """Collect users and items; ids that occur only in `events` come without attributes.

        `contexts` are columns of the events beside the device.
        """
        item_ids = pl.concat([items["item_id"], events["item_id"]]).unique(maintain_order=True)
        items = pl.DataFrame({"item_id": item_ids}).join(
            items, on="item_id", how="left", maintain_order="left"
        )
        user_ids = pl.concat([users["user_id"], events["user_id"]]).unique(maintain_order=True)
        users = pl.DataFrame({"user_id": user_ids}).join(
            users, on="user_id", how="left", maintain_order="left"
        )
        genres, names = _genres(items)
        segments, sizes, segment_names, values = _segments(users)
        titles = items["title"] if "title" in items.columns else items["item_id"]
        return cls(
            item_ids=as_words(items["item_id"]),
            titles=as_words(titles.fill_null(items["item_id"])),
            genres=genres,
            genre_names=names,
            years=_numbers(items, "year"),
            user_ids=as_words(users["user_id"]),
            segments=segments,
            segment_sizes=sizes,
            segment_names=segment_names,
            segment_values=values,
            texts=_texts(items),
            runtimes=_numbers(items, "runtime_minutes"),
            contexts={name: _values(events, name) for name in (DEVICE, *contexts)},
            timed=timed,
            repeats=repeats,
        )

    @property
    def has_genres(self) -> bool:
        """Whether any item has a genre."""
        return bool(self.genres.any())

    @property
    def has_attributes(self) -> bool:
        """Whether anything is told of any user."""
        return bool(self.segments.any())

    @property
    def has_texts(self) -> bool:
        """Whether anything is written of any item."""
        return any(self.texts)

    def year_of(self, item: int) -> int | None:
        """Return the year of an item, None where it is unknown."""
        return None if np.isnan(self.years[item]) else int(self.years[item])

    def genres_of(self, item: int) -> list[str]:
        """Return the names of an item's genres."""
        return [self.genre_names[place] for place in np.flatnonzero(self.genres[item])]

    def barred(self, seen: csr_matrix) -> csr_matrix:
        """Return what users who have `seen` (B, N) must not be shown: that, or nothing (B, N)."""
        return seen if not self.repeats else type(seen)(seen.shape, dtype=np.float32)

    def context_of(self, known: Mapping[str, str]) -> np.ndarray:
        """Return the codes (C,) of what a request told of its context; 0 is unknown or new."""
        codes = [
            1 + values.index(known[name]) if known.get(name) in values else 0
            for name, values in self.contexts.items()
        ]
        return np.array(codes, dtype=np.int64)

    def values_of(self, attribute: str) -> tuple[str, ...]:
        """Return what codes 1 and up of an attribute stand for, as `attribute=value`."""
        return tuple(each for each in self.segment_values if each.startswith(f"{attribute}="))

    def segment_of(self, known: Mapping[str, str | float]) -> np.ndarray:
        """Return the codes (S,) of what a user told of `age`, `gender`, `occupation`; 0 is unknown.

        A value that no known user has is unknown too.
        """
        codes = np.zeros(len(self.segment_names), dtype=np.int64)
        for place, name in enumerate(self.segment_names):
            told = known.get(name)
            if told is None:
                continue
            if name == "age":
                codes[place] = _age_codes(np.array([float(told)]))[0]
                continue
            values = self.values_of(name)
            wanted = f"{name}={told}"
            codes[place] = values.index(wanted) + 1 if wanted in values else 0
        return codes

    def user_row(self, user_id: str) -> int:
        """Return the row of a user, -1 for one nobody knows."""
        found = np.flatnonzero(self.user_ids == user_id)
        return int(found[0]) if len(found) else MISSING

    def item_row(self, item_id: str) -> int:
        """Return the row of an item; raise where there is none of that id."""
        found = np.flatnonzero(self.item_ids == item_id)
        if not len(found):
            raise ValueError(
                f"item: {item_id!r} is not in the catalogue of {len(self.item_ids):,} items; give"
                f" an id as in the data, such as {self.item_ids[0]!s}"
            )
        return int(found[0])

    def save(self, folder: Path) -> None:
        """Write all but the texts, which fitting alone reads: names as Parquet, codes as npz."""
        for table, names in IDS.items():
            columns = {name: pl.Series(getattr(self, name), dtype=pl.String) for name in names}
            pl.DataFrame(columns).write_parquet(folder / f"{table}.parquet")
        np.savez(
            folder / "catalogue.npz",
            genres=self.genres, years=self.years, runtimes=self.runtimes, segments=self.segments,
            segment_sizes=np.array(self.segment_sizes),
        )  # fmt: skip
        told = (*WORDS, "contexts", "timed", "repeats")
        write_json(folder / "catalogue.json", {name: getattr(self, name) for name in told})

    @classmethod
    def load(cls, folder: Path) -> Catalogue:
        """Read what `save` wrote."""
        with np.load(folder / "catalogue.npz") as arrays:
            values: dict[str, Any] = {name: arrays[name] for name in arrays.files}
        values["segment_sizes"] = tuple(values["segment_sizes"].tolist())
        values |= json.loads((folder / "catalogue.json").read_text(encoding="utf-8"))
        values |= {name: tuple(values[name]) for name in WORDS}
        values["contexts"] = {name: tuple(each) for name, each in values["contexts"].items()}
        for table, names in IDS.items():
            frame = pl.read_parquet(folder / f"{table}.parquet")
            values |= {name: as_words(frame[name]) for name in names}
        return cls(**values)


def as_words(values: pl.Series) -> np.ndarray:
    """Return texts as objects (N,): an array of one width would hold each as wide as the widest."""
    return values.cast(pl.String).to_numpy().astype(object)


def _genres(items: pl.DataFrame) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the genres as 0/1 columns; without any there is one empty column."""
    if "genres" not in items.columns:
        return np.zeros((items.height, 1), dtype=np.float32), UNKNOWN
    exploded = items.with_row_index("row").select("row", "genres").explode("genres").drop_nulls()
    names = sorted(exploded["genres"].unique().to_list()) or list(UNKNOWN)
    matrix = np.zeros((items.height, len(names)), dtype=np.float32)
    column = {name: index for index, name in enumerate(names)}
    matrix[exploded["row"].to_numpy(), [column[name] for name in exploded["genres"]]] = 1.0
    return matrix, tuple(names)


def _values(events: pl.DataFrame, column: str) -> tuple[str, ...]:
    """Return the values of a context column, sorted; of many the `VALUES` most frequent."""
    if column not in events.columns:
        return ()
    values = events[column].cast(pl.String).drop_nulls()
    counts = values.value_counts(sort=True).sort("count", column, descending=[True, False])
    return tuple(sorted(counts[column].head(VALUES).to_list()))


def _numbers(items: pl.DataFrame, column: str) -> np.ndarray:
    """Return a column as float32 (N,), NaN where unknown."""
    if column not in items.columns:
        return np.full(items.height, np.nan, dtype=np.float32)
    return items[column].cast(pl.Float32).fill_null(float("nan")).to_numpy()


def _texts(items: pl.DataFrame) -> np.ndarray:
    """Return title, genres and, where there are any, text and overview of each item (N,)."""
    empty = pl.repeat("", items.height, eager=True).alias("title")
    parts = [empty]
    if "title" in items.columns:  # an item without a title may have its id for one
        title = pl.when(pl.col("title") == pl.col("item_id")).then(None).otherwise(pl.col("title"))
        parts = [items.select(title.alias("title"))["title"].fill_null("")]
    if "genres" in items.columns:
        parts.append(items["genres"].list.join(" ").fill_null(""))
    for name in ("text", "overview"):
        if name in items.columns:
            parts.append(items[name].fill_null(""))
    joined = pl.concat_str(pl.all(), separator=". ")
    written = pl.any_horizontal(pl.all().str.len_chars() > 0)
    texts = pl.DataFrame(parts).select(pl.when(written).then(joined).otherwise(pl.lit("")))
    return as_words(texts.to_series())


def _age_codes(age: np.ndarray) -> np.ndarray:
    """Return the band of each age (U,): 1 to 7, or 0 for NaN."""
    return np.where(np.isnan(age), 0, np.digitize(age, [18, 25, 35, 45, 50, 56]) + 1)


def _segments(
    users: pl.DataFrame,
) -> tuple[np.ndarray, tuple[int, ...], tuple[str, ...], tuple[str, ...]]:
    """Code age band, gender and occupation; 0 is unknown."""
    columns, sizes, names = [], [], []
    told: list[str] = []
    if "age" in users.columns:
        age = users["age"].cast(pl.Float32).fill_null(float("nan")).to_numpy()
        columns.append(_age_codes(age))
        sizes.append(8)
        names.append("age")
    for name in ("gender", "occupation"):
        if name in users.columns:
            values = users[name].cast(pl.String).fill_null("")
            known = sorted(set(values) - {""})
            code = {value: index for index, value in enumerate(known, start=1)}
            columns.append(np.array([code.get(value, 0) for value in values]))
            sizes.append(len(known) + 1)
            names.append(name)
            told += [f"{name}={value}" for value in known]
    if not columns:
        return np.zeros((users.height, 1), dtype=np.int64), (1,), UNKNOWN, ()
    codes = np.stack(columns, axis=1).astype(np.int64)
    return codes, tuple(sizes), tuple(names), tuple(told)
