"""What is known of users and items apart from what passed between them.

Inside the pattern users and items are row numbers of these tables; the ids of the outside occur
only here and in `serve`. The catalogue travels in the artifact, so a server needs no dataset.

Shapes: `N` items, `G` genres, `U` users, `S` user attributes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from common.retrieval import MISSING

TUPLES = ("genre_names", "segment_sizes", "segment_names", "segment_values", "device_names")


def no_column() -> np.ndarray:
    """Stand for a column that the source does not have, until the table fills it in."""
    return np.empty(0)


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
    segment_names: tuple[str, ...]
    segment_values: tuple[str, ...] = ()
    """What codes 1 and up of all attributes but age stand for, as `attribute=value`."""
    texts: np.ndarray = field(default_factory=no_column)
    """(N,) str, the text of an item: title and genres at least."""
    runtimes: np.ndarray = field(default_factory=no_column)
    """(N,) float32 minutes, NaN where unknown."""
    device_names: tuple[str, ...] = ()
    """Code 1 is the first."""

    def __post_init__(self) -> None:
        """Fill in what the source does not know."""
        if not len(self.texts):
            object.__setattr__(self, "texts", self.titles)
        if not len(self.runtimes):
            object.__setattr__(self, "runtimes", np.full(len(self.item_ids), np.nan, np.float32))

    @classmethod
    def from_table(
        cls, items: pl.DataFrame, users: pl.DataFrame, events: pl.DataFrame
    ) -> Catalogue:
        """Collect users and items; ids that occur only in `events` come without attributes."""
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
        names_of_items = titles.fill_null("").to_numpy().astype(str)
        return cls(
            item_ids=items["item_id"].to_numpy().astype(str),
            titles=names_of_items,
            genres=genres,
            genre_names=names,
            years=_numbers(items, "year"),
            user_ids=users["user_id"].to_numpy().astype(str),
            segments=segments,
            segment_sizes=sizes,
            segment_names=segment_names,
            segment_values=values,
            texts=_texts(items),
            runtimes=_numbers(items, "runtime_minutes"),
            device_names=_devices(events),
        )

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
        """Write all but the texts, which fitting alone reads, as one npz without objects."""
        kept = {name: value for name, value in vars(self).items() if name != "texts"}
        arrays: dict[str, Any] = {name: np.asarray(value) for name, value in kept.items()}
        np.savez(folder / "catalogue.npz", **arrays)

    @classmethod
    def load(cls, folder: Path) -> Catalogue:
        """Read what `save` wrote."""
        with np.load(folder / "catalogue.npz") as arrays:
            values = {name: arrays[name] for name in arrays.files}
        for name in TUPLES:
            values[name] = tuple(values[name].tolist())
        return cls(**values)


def _genres(items: pl.DataFrame) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the genres as 0/1 columns; without any there is one empty column."""
    if "genres" not in items.columns:
        return np.zeros((items.height, 1), dtype=np.float32), ("none",)
    exploded = items.with_row_index("row").select("row", "genres").explode("genres").drop_nulls()
    names = sorted(exploded["genres"].unique().to_list()) or ["none"]
    matrix = np.zeros((items.height, len(names)), dtype=np.float32)
    column = {name: index for index, name in enumerate(names)}
    matrix[exploded["row"].to_numpy(), [column[name] for name in exploded["genres"]]] = 1.0
    return matrix, tuple(names)


def _devices(events: pl.DataFrame) -> tuple[str, ...]:
    if "device" not in events.columns:
        return ()
    return tuple(sorted(events["device"].drop_nulls().unique().to_list()))


def _numbers(items: pl.DataFrame, column: str) -> np.ndarray:
    """Return a column as float32 (N,), NaN where unknown."""
    if column not in items.columns:
        return np.full(items.height, np.nan, dtype=np.float32)
    return items[column].cast(pl.Float32).fill_null(float("nan")).to_numpy()


def _texts(items: pl.DataFrame) -> np.ndarray:
    """Return title, genres and, where there are any, text and overview of each item (N,)."""
    empty = pl.repeat("", items.height, eager=True).alias("title")
    parts = [items["title"].fill_null("") if "title" in items.columns else empty]
    if "genres" in items.columns:
        parts.append(items["genres"].list.join(" ").fill_null(""))
    for name in ("text", "overview"):
        if name in items.columns:
            parts.append(items[name].fill_null(""))
    joined = pl.concat_str(pl.all(), separator=". ")
    written = pl.any_horizontal(pl.all().str.len_chars() > 0)
    texts = pl.DataFrame(parts).select(pl.when(written).then(joined).otherwise(pl.lit("")))
    return texts.to_series().to_numpy().astype(str)


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
        return np.zeros((users.height, 1), dtype=np.int64), (1,), ("none",), ()
    codes = np.stack(columns, axis=1).astype(np.int64)
    return codes, tuple(sizes), tuple(names), tuple(told)
