"""Pages made beforehand: one Parquet row a user, looked up instead of computed.

    user_id   items: list of ids, best first   scores   sources: bits of who proposed each

The nightly job writes them in shards of users, which make one file in the artifact. A server that
finds the file answers from it users who have done nothing since, and computes for all others.

Shapes: `U` users, `L` items of a page.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from common import console
from common.retrieval import MISSING
from patterns.recsys.entities.catalogue import Catalogue

FILE = "pages.parquet"
SCHEMA: Any = {
    "user_id": pl.String,
    "items": pl.List(pl.String),
    "scores": pl.List(pl.Float32),
    "sources": pl.List(pl.Int64),
}


@dataclass(frozen=True)
class Pages:
    """The pages of all users of a catalogue, by their rows."""

    items: np.ndarray  # (U, L) int64 rows of the catalogue, -1 padded
    scores: np.ndarray  # (U, L) float32, -inf padded
    sources: np.ndarray  # (U, L) int64 bits

    @classmethod
    def load(cls, folder: Path, catalogue: Catalogue) -> Pages | None:
        """Read the pages of the users of `catalogue`, in their order; None where there are none."""
        path = folder / FILE
        if not path.is_file():
            return None
        frame = pl.read_parquet(path)
        if frame.schema != pl.Schema(SCHEMA) or frame["user_id"].to_list() != list(
            catalogue.user_ids
        ):
            raise ValueError(f"{path}: not the pages of this run's users; run the nightly job anew")
        row_of = {name: row for row, name in enumerate(catalogue.item_ids.tolist())}
        sizes = frame["items"].list.len().to_numpy()
        width = int(sizes.max(initial=0))
        place = np.arange(width) < sizes[:, None]  # (U, L)
        items = np.full(place.shape, MISSING)
        items[place] = [row_of[name] for name in frame["items"].explode().drop_nulls()]
        scores = np.full(place.shape, -np.inf, dtype=np.float32)
        scores[place] = frame["scores"].explode().drop_nulls().to_numpy()
        sources = np.zeros(place.shape, dtype=np.int64)
        sources[place] = frame["sources"].explode().drop_nulls().to_numpy()
        return cls(items, scores, sources)


def as_frame(
    user_ids: np.ndarray,
    item_ids: np.ndarray,
    scores: np.ndarray,
    sources: np.ndarray,
    catalogue: Catalogue,
) -> pl.DataFrame:
    """Return pages (B, L) of some users as rows of the file; padding is left out."""
    real = item_ids != MISSING
    return pl.DataFrame(
        {
            "user_id": user_ids.tolist(),
            "items": [
                catalogue.item_ids[row[kept]].tolist()
                for row, kept in zip(item_ids, real, strict=True)
            ],
            "scores": [row[kept].tolist() for row, kept in zip(scores, real, strict=True)],
            "sources": [row[kept].tolist() for row, kept in zip(sources, real, strict=True)],
        },
        schema=SCHEMA,
    )


@dataclass(frozen=True)
class Shards:
    """Files of pages of `size` users each, which are made one by one."""

    folder: Path
    users_in_all: int
    size: int

    @property
    def count(self) -> int:
        """Number of shards."""
        return -(-self.users_in_all // self.size)

    def users(self, number: int) -> np.ndarray:
        """Return the rows of a shard's users."""
        start = number * self.size
        return np.arange(start, min(start + self.size, self.users_in_all))

    def path(self, number: int) -> Path:
        """Return the file of a shard."""
        return self.folder / f"{number:06d}.parquet"

    def missing(self) -> list[int]:
        """Return the numbers of the shards that are not there or cannot be read."""
        return [number for number in range(self.count) if not is_whole(self.path(number))]

    def write(self, number: int, frame: pl.DataFrame) -> Path:
        """Write a shard aside, force it to the disk and rename: a kill leaves no half file."""
        path = self.path(number)
        aside = path.with_suffix(f".{os.getpid()}")
        with aside.open("wb") as file:
            frame.write_parquet(file)
            file.flush()
            os.fsync(file.fileno())
        return aside.replace(path)

    def read(self) -> pl.DataFrame:
        """Return the pages of all users, in the order of their rows."""
        return pl.concat([pl.read_parquet(self.path(number)) for number in range(self.count)])


def is_whole(path: Path) -> bool:
    """Return whether a file of pages is there and can be read; say so where it is broken."""
    try:
        return path.is_file() and pl.read_parquet(path).schema == pl.Schema(SCHEMA)
    except (OSError, pl.exceptions.PolarsError):
        console.notice(f"{path}: cannot be read; made anew")
        return False
