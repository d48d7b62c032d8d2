"""Documents: their columns, and which stage reads what of them.

A corpus of films has a dozen fields, a BEIR corpus two. `tidy` gives both the same columns, so that
no later stage asks what it was given: a missing text is empty, a missing number null. The inverted
index reads seven field texts, the last of them all fields as one; the encoder reads one text that
opens with the title, since it stops reading after a few dozen tokens.
"""

from __future__ import annotations

import polars as pl

TEXTS = ("title", "overview", "director")
LISTS = ("tags", "genres", "actors", "characters")
NUMBERS = ("year", "votes", "rating", "popularity", "budget")
COLUMNS = ("doc_id", *TEXTS, *LISTS, *NUMBERS)
ANALYSED = {
    "title": "stems",
    "overview": "english",
    "tags": "stems",
    "genres": "stems",
    "people": "words",
    "characters": "words",
    "text": "english",
}


def tidy(documents: pl.DataFrame) -> pl.DataFrame:
    """Give `documents` the columns of `COLUMNS`; `text` stands in for a missing overview."""
    if "overview" not in documents.columns and "text" in documents.columns:
        documents = documents.rename({"text": "overview"})
    texts, numbers = pl.List(pl.String), pl.Float64

    def column(name: str, kind: pl.DataType | type[pl.DataType]) -> pl.Expr:
        known = pl.col(name) if name in documents.columns else pl.lit(None)
        return known.cast(kind).alias(name)

    return documents.select(
        pl.col("doc_id").cast(pl.String),
        *(column(name, pl.String).fill_null("") for name in TEXTS),
        *(column(name, texts).fill_null([]) for name in LISTS),
        *(column(name, numbers) for name in NUMBERS),
    )


def field_texts(documents: pl.DataFrame) -> dict[str, list[str]]:
    """Return one text a document for each field of `ANALYSED`."""
    joined = documents.with_columns(pl.col(name).list.join(" ") for name in LISTS)
    year = pl.col("year").cast(pl.Int64).cast(pl.String).fill_null("")
    frame = joined.with_columns(
        people=pl.concat_str("director", "actors", separator=" "),
        text=pl.concat_str(*TEXTS, *LISTS, year, separator=" "),
    )
    return {name: frame[name].to_list() for name in ANALYSED}


def dense_texts(documents: pl.DataFrame) -> list[str]:
    """Return what the encoder reads of each document: title, year, genres, tags, overview."""
    year = pl.col("year").cast(pl.Int64).cast(pl.String)
    parts = documents.select(
        pl.col("title"),
        pl.when(year.is_null()).then(pl.lit("")).otherwise(pl.format("({})", year)).alias("year"),
        pl.col("genres").list.join(", "),
        pl.col("tags").list.head(10).list.join(", "),
        pl.col("overview"),
    )
    return [
        ". ".join(part for part in (f"{title} {year}".strip(), genres, tags, overview) if part)
        for title, year, genres, tags, overview in parts.iter_rows()
    ]
