"""Documents: which columns a collection has, and which stage reads what of them.

A corpus of films has a dozen fields, another two. A `Schema` says it once, so that no later stage
asks what it was given: the inverted index reads the fields of `indexed`, the last of them all
fields as one; the encoder reads one text that opens with the title, since it stops reading after
some dozens of tokens; categories are facets, to filter by, and numbers features. In `tidy`
documents a missing text is empty, a missing number null.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import polars as pl

ALL = "all"  # the field that reads all others as one text
FIRST = 10  # entries of a list that the encoder reads


@dataclass(frozen=True)
class Schema:
    """Columns by kind, and what index and encoder make of them."""

    texts: tuple[str, ...]
    facets: tuple[str, ...]  # list columns
    numbers: tuple[str, ...]
    indexed: Mapping[str, tuple[str, tuple[str, ...]]]  # field -> analyser, columns; `ALL` last
    encoded: tuple[str, ...]  # columns of the encoder's text, in order
    covered: tuple[str, ...] = (ALL,)  # fields with a feature for the share of the query they hold

    @property
    def films(self) -> bool:
        """Tell the schema of films, whose features know sequels and years."""
        return self.texts == FILMS.texts and self.facets == FILMS.facets

    @classmethod
    def of(cls, documents: pl.DataFrame) -> Self:
        """Read the schema off the columns: `FILMS` where its lists are there."""
        kinds = dict(zip(documents.columns, documents.dtypes, strict=True))
        if all(kinds.get(name) == pl.List(pl.String) for name in FILMS.facets):
            return cls(**vars(FILMS))
        kinds.pop("doc_id")
        if ALL in kinds:
            raise ValueError(f"fields: {ALL!r} stands for all fields as one; rename that field")
        facets = tuple(name for name, kind in kinds.items() if kind == pl.List(pl.String))
        numbers = tuple(name for name, kind in kinds.items() if kind.is_numeric())
        texts = tuple(name for name in kinds if name not in facets and name not in numbers)
        indexed: dict[str, tuple[str, tuple[str, ...]]] = {
            name: ("stems" if name == "title" else "english", (name,)) for name in texts
        }
        indexed |= {name: ("stems", (name,)) for name in facets}
        indexed[ALL] = ("english", (*texts, *facets))
        return cls(texts, facets, numbers, indexed, texts)

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` reads."""
        return dict(vars(self))

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Self:
        """Make the schema that `to_json` wrote."""
        plain = {name: tuple(value) for name, value in saved.items() if name != "indexed"}
        indexed = {name: (kind, tuple(own)) for name, (kind, own) in saved["indexed"].items()}
        return cls(**plain, indexed=indexed)


FILMS = Schema(
    texts=("title", "overview", "director"),
    facets=("tags", "genres", "actors", "characters"),
    numbers=("year", "votes", "rating", "popularity", "budget"),
    indexed={
        "title": ("stems", ("title",)),
        "overview": ("english", ("overview",)),
        "tags": ("stems", ("tags",)),
        "genres": ("stems", ("genres",)),
        "people": ("words", ("director", "actors")),
        "characters": ("words", ("characters",)),
        ALL: (
            "english",
            ("title", "overview", "director", "tags", "genres", "actors", "characters", "year"),
        ),
    },
    encoded=("title", "year", "genres", "tags", "overview"),
    covered=(ALL, "people", "characters"),
)


def tidy(documents: pl.DataFrame, schema: Schema) -> pl.DataFrame:
    """Give `documents` the columns of `schema`, none of them null but numbers."""

    def column(name: str, kind: pl.DataType | type[pl.DataType]) -> pl.Expr:
        known = pl.col(name) if name in documents.columns else pl.lit(None)
        return known.cast(kind).alias(name)

    return documents.select(
        pl.col("doc_id").cast(pl.String),
        *(column(name, pl.String).fill_null("") for name in schema.texts),
        *(column(name, pl.List(pl.String)).fill_null([]) for name in schema.facets),
        *(column(name, pl.Float64) for name in schema.numbers),
    )


def field_texts(documents: pl.DataFrame, schema: Schema) -> dict[str, list[str]]:
    """Return one text a document for each field of the index."""
    plain = documents.with_columns(
        *(pl.col(name).list.join(" ") for name in schema.facets),
        *(pl.col(name).cast(pl.Int64).cast(pl.String).fill_null("") for name in schema.numbers),
    )
    return {
        name: plain.select(pl.concat_str(list(columns), separator=" ")).to_series().to_list()
        for name, (_, columns) in schema.indexed.items()
    }


def dense_texts(documents: pl.DataFrame, schema: Schema) -> list[str]:
    """Return what the encoder reads of each document, as "title (year). genres. overview"."""
    rows = documents.select(schema.encoded).iter_rows()
    return [_sentence(row) for row in rows]


def _sentence(values: Sequence[Any]) -> str:
    """Join the parts of one document; a number stands in brackets behind the part before it."""
    parts: list[str] = []
    for value in values:
        if isinstance(value, float):
            parts[-1:] = [f"{' '.join(parts[-1:])} ({value:.0f})".strip()]
        elif isinstance(value, list):
            parts.append(", ".join(value[:FIRST]))
        else:
            parts.append(value or "")
    return ". ".join(part for part in parts if part)


def titles_of(documents: pl.DataFrame, schema: Schema) -> list[str]:
    """Return the title of each document; without one, how its text begins."""
    body = next((name for name in schema.texts if name != "title"), "title")
    start = pl.col(body).str.slice(0, 80)
    title = pl.when(pl.col("title") == "").then(start).otherwise(pl.col("title"))
    return documents.select(title.alias("title"))["title"].to_list()
