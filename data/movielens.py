"""MovieLens: what people thought of films, in the three sizes that papers report on.

The recommendation room's public sets. 100K and 1M hold users with at least 20 ratings and what
they told of themselves; latest-small holds free-text tags and the films' ids elsewhere. There,
`tmdb_id` is the `doc_id` of the documents of `msrd`, which hold 4,157 of the 9,742 films.

Source: Harper and Konstan, "The MovieLens Datasets: History and Context", 2015. Ids become text
and titles stay as published ("Godfather, The (1972)"); the year in the title becomes a column.
A mirror of 1M may hold only the pairs of user and film, without rating and time: those columns are
then null, and the notice of the table says what cannot be done with it.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from data.cards import Fetched
from data.errors import Damaged
from data.tables import Interactions, Source

_INTERACTIONS: dict[str, pl.DataType | type[pl.DataType]] = {
    "user_id": pl.String,
    "item_id": pl.String,
    "rating": pl.Float32,
    "timestamp": pl.Int64,
}
_YEAR = r"\s*\((\d{4})\)\s*$"
_ARTICLE = r"^(.*), (The|A|An)$"
PAIRS_NOTICE = (
    "This copy of MovieLens 1M holds the pairs of user and film only: ratings and times are null, "
    "so splits in time and thresholds on ratings cannot be made with it. The official archive has "
    'both: data.load("movielens-1m", form="official").'
)


def read_100k(fetched: Fetched) -> Interactions:
    """Read u.data, u.user and u.item; the file's order of ratings is kept."""
    interactions = pl.read_csv(
        fetched.paths["u.data"], separator="\t", has_header=False, schema=_INTERACTIONS
    )
    users = pl.read_csv(
        fetched.paths["u.user"],
        separator="|",
        has_header=False,
        schema={
            "user_id": pl.String,
            "age": pl.Int16,
            "gender": pl.String,
            "occupation": pl.String,
            "zip_code": pl.String,
        },
    )
    items = _items_100k(fetched.paths["u.item"], fetched.paths["u.genre"])
    source = _source(fetched, interactions, users, items)
    return Interactions(source, interactions, users, items)


def _items_100k(items: Path, genres: Path) -> pl.DataFrame:
    """Turn the 19 columns of zeros and ones at the end of each row into a list of names."""
    names = [line.split("|")[0] for line in genres.read_text().splitlines() if line.strip()]
    rows = [line.split("|") for line in items.read_text(encoding="latin-1").splitlines() if line]
    return pl.DataFrame(
        {
            "item_id": [row[0] for row in rows],
            "title": [row[1] for row in rows],
            "genres": [
                [name for name, flag in zip(names, row[5:], strict=True) if flag == "1"]
                for row in rows
            ],
            "release_date": [row[2] or None for row in rows],
        },
        schema={
            "item_id": pl.String,
            "title": pl.String,
            "genres": pl.List(pl.String),
            "release_date": pl.String,
        },
    ).select(
        "item_id",
        "title",
        "genres",
        _year_of_title(),
        pl.col("release_date").str.to_date("%d-%b-%Y", strict=False),
    )


def read_1m(fetched: Fetched) -> Interactions:
    """Read the official ratings, or the bare pairs of a mirror, with users, films and NCF files."""
    if "ratings.dat" in fetched.paths:
        interactions = _split_dat(fetched.paths["ratings.dat"], list(_INTERACTIONS)).cast(
            {"rating": pl.Float32, "timestamp": pl.Int64}
        )
        published = fetched.card.published["ratings"]
        if interactions.height != published:  # the file has no published checksum of its own
            raise Damaged(
                f"{fetched.paths['ratings.dat']} holds {interactions.height:,} ratings of "
                f"{published:,}. Delete it and fetch it again."
            )
    else:
        interactions = pl.read_parquet(fetched.paths["ratings.parquet"]).select(
            pl.col("userID").alias("user_id"),
            pl.col("movieID").alias("item_id"),
            pl.lit(None, pl.Float32).alias("rating"),
            pl.lit(None, pl.Int64).alias("timestamp"),
        )
    users = _split_dat(
        fetched.paths["users.dat"], ["user_id", "gender", "age", "occupation", "zip_code"]
    ).select("user_id", pl.col("age").cast(pl.Int16), "gender", "occupation", "zip_code")
    items = _split_dat(fetched.paths["movies.dat"], ["item_id", "title", "genres"]).select(
        "item_id", "title", pl.col("genres").str.split("|"), _year_of_title()
    )
    extra = _read_ncf(fetched, interactions)
    notice = None if "ratings.dat" in fetched.paths else PAIRS_NOTICE
    source = _source(fetched, interactions, users, items, notice=notice)
    return Interactions(source, interactions, users, items, extra)


def _split_dat(path: Path, columns: list[str]) -> pl.DataFrame:
    """Split lines at "::"; the files are latin-1."""
    lines = path.read_bytes().decode("latin-1").splitlines()
    parts = pl.Series("line", lines).str.split_exact("::", len(columns) - 1)
    frame = parts.struct.rename_fields(columns).struct.unnest()
    if frame.null_count().sum_horizontal().sum():
        raise ValueError(f"{path}: a line has fewer than {len(columns)} fields between '::'.")
    return frame


def _read_ncf(fetched: Fetched, interactions: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Read the leave-one-out test of He et al. (2017) in the ids of this table.

    Their user is user_id - 1 and their item the rank of first appearance in the ratings.
    """
    if "ncf.ml-1m.test.rating" not in fetched.paths:
        return {}
    item_ids = interactions["item_id"].unique(maintain_order=True)
    test = pl.read_csv(
        fetched.paths["ncf.ml-1m.test.rating"],
        separator="\t",
        has_header=False,
        schema={"user": pl.Int64, "item": pl.Int64, "rating": pl.Float32, "timestamp": pl.Int64},
    )
    lines = fetched.paths["ncf.ml-1m.test.negative"].read_text().splitlines()
    negatives = [[int(item) for item in line.split("\t")[1:]] for line in lines if line]
    user_ids = (test["user"] + 1).cast(pl.String)
    return {
        "ncf_test": pl.DataFrame(
            {
                "user_id": user_ids,
                "item_id": item_ids.gather(test["item"]),
                "rating": test["rating"],
                "timestamp": test["timestamp"],
            }
        ),
        "ncf_negatives": pl.DataFrame(
            {
                "user_id": user_ids,
                "item_ids": [item_ids.gather(row).to_list() for row in negatives],
            }
        ),
    }


def read_latest_small(fetched: Fetched) -> Interactions:
    """Read ratings, films, tags and links; a user is known by id alone.

    `text` of a film is its title and its tags, those of all times: who needs what was written
    before a moment takes `extra["tags"]`, which has the times.
    """
    interactions = _read_csv(fetched.paths["ratings.csv"], _INTERACTIONS)
    films = _read_csv(
        fetched.paths["movies.csv"],
        {"item_id": pl.String, "title": pl.String, "genres": pl.String},
    )
    links = _read_csv(
        fetched.paths["links.csv"],
        {"item_id": pl.String, "imdb_id": pl.String, "tmdb_id": pl.String},
    )
    genres = pl.col("genres").replace("(no genres listed)", "").str.split("|")
    tags = _read_csv(
        fetched.paths["tags.csv"],
        {"user_id": pl.String, "item_id": pl.String, "tag": pl.String, "timestamp": pl.Int64},
    )
    items = (
        films.join(links, on="item_id", how="left", maintain_order="left")
        .join(_joined_tags(tags), on="item_id", how="left", maintain_order="left")
        .select(
            "item_id",
            "title",
            genres.list.eval(pl.element().filter(pl.element() != "")),
            _year_of_title(),
            _text_of_title_and_tags(),
            "imdb_id",
            "tmdb_id",
        )
    )
    users = interactions.select("user_id").unique(maintain_order=True)
    source = _source(fetched, interactions, users, items)
    return Interactions(source, interactions, users, items, {"tags": tags})


def _joined_tags(tags: pl.DataFrame) -> pl.DataFrame:
    """Join the distinct tags of each film, the earliest first."""
    return (
        tags.sort("timestamp", maintain_order=True)
        .unique(["item_id", "tag"], keep="first", maintain_order=True)
        .group_by("item_id", maintain_order=True)
        .agg(pl.col("tag").str.join(", "))
    )


def _text_of_title_and_tags() -> pl.Expr:
    """Turn "Matrix, The (1999)" and its tags into "The Matrix. cyberpunk, simulation"."""
    title = pl.col("title").str.replace(_YEAR, "").str.replace(_ARTICLE, "${2} ${1}")
    return pl.concat_str([title, pl.col("tag")], separator=". ", ignore_nulls=True).alias("text")


def _read_csv(path: Path, schema: dict[str, pl.DataType | type[pl.DataType]]) -> pl.DataFrame:
    """Read a CSV file whose header is replaced by the names of `schema`."""
    return pl.read_csv(path, has_header=False, skip_rows=1, schema=schema)


def _year_of_title() -> pl.Expr:
    """Take the year out of "Heat (1995)"; null where the title has none."""
    return pl.col("title").str.extract(_YEAR).cast(pl.Int32).alias("year")


def _source(
    fetched: Fetched,
    interactions: pl.DataFrame,
    users: pl.DataFrame,
    items: pl.DataFrame,
    notice: str | None = None,
) -> Source:
    what = "ratings" if notice is None else "pairs"
    return Source(
        name=fetched.card.name,
        origin=fetched.origin,
        title=fetched.card.title,
        licence=fetched.card.licence,
        checksums=fetched.checksums,
        rows=f"{interactions.height:,} {what}, {users.height:,} users, {items.height:,} items",
        notice=notice,
    )
