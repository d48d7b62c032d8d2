"""MSRD: 9,750 films, 16,279 queries and 384,755 human judgments of pairs of them.

The search room's public set. Around 24 films that BM25 found were judged for each query, 0 or 1,
and stand in random order. The form read here is Elastic's adaptation of Metarank's dataset: one
JSON object a line for the films, one tab-separated row a judgment.

A document's `text` is its overview, which is also kept under the field's own name beside tags,
genres, director, actors, characters, year, votes, rating, popularity and budget. What is not
judged is unknown, not irrelevant: whoever searches the whole corpus reports both. One judged film
(440249, 374 judgments, all 0) is not among the documents; its rows are kept as published.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from data.cards import Archive, Card, Fetched, File, Form
from data.tables import SearchCollection, Source

_BASE = (
    "https://raw.githubusercontent.com/elastic/elasticsearch-labs/"
    "77567655e8343607538e2ef203b4c0b322526d93/notebooks/search/sample_data/learning-to-rank/"
)


def _gzipped(name: str, size: int, digest: str) -> File:
    archive = Archive(urls=(_BASE + name + ".gz",), kind="gzip", limit_bytes=size)
    return File(name, size, digest, archive=archive)


CARD = Card(
    name="msrd",
    folder="msrd",
    title="Movie Search Ranking Dataset",
    task="search",
    homepage="https://github.com/metarank/msrd",
    licence="CC BY-SA 4.0",
    citation="Metarank Labs, Movie Search Ranking Dataset; adapted by Elastic",
    published={"documents": 9750, "queries": 16279, "judgments": 384755, "relevant": 56245},
    forms=(
        Form(
            "elastic",
            (
                _gzipped(
                    "movies-corpus.jsonl",
                    9007301,
                    "bc97950f7561f4bebbfca09549e4ee314fd13b8749d5053718173d02194d935d",
                ),
                _gzipped(
                    "movies-judgments.tsv",
                    15488022,
                    "643c88733dc69a5989ed470bd424bc9f608db68796c9f0a73e1536f651335846",
                ),
            ),
        ),
    ),
)


def read(fetched: Fetched) -> SearchCollection:
    """Read documents, the distinct queries in order of first judgment, and the judgments."""
    documents = _read_documents(fetched.paths["movies-corpus.jsonl"])
    rows = pl.read_csv(
        fetched.paths["movies-judgments.tsv"],
        separator="\t",
        quote_char=None,  # queries hold stray quotes
        schema={"query_id": pl.String, "query": pl.String, "doc_id": pl.String, "grade": pl.Int8},
    )
    queries = rows.select("query_id", "query").unique("query_id", keep="first", maintain_order=True)
    judgments = rows.select("query_id", "doc_id", "grade")
    source = Source(
        name=CARD.name,
        origin=fetched.origin,
        title=CARD.title,
        licence=CARD.licence,
        checksums=fetched.checksums,
        rows=f"{documents.height:,} films, {queries.height:,} queries, "
        f"{judgments.height:,} judgments",
    )
    return SearchCollection(source, documents, queries, judgments)


def _read_documents(path: Path) -> pl.DataFrame:
    texts = pl.List(pl.String)
    schema: dict[str, pl.DataType | type[pl.DataType]] = {
        "id": pl.String,
        "title": pl.String,
        "overview": pl.String,
        "tags": texts,
        "genres": texts,
        "director": pl.String,
        "actors": texts,
        "characters": texts,
        "year": pl.Int32,
        "votes": pl.Int64,
        "rating": pl.Float64,
        "popularity": pl.Float64,
        "budget": pl.Int64,
        "url": pl.String,
    }
    frame = pl.read_ndjson(path, schema=schema)
    return frame.select(
        pl.col("id").alias("doc_id"),
        pl.col("title").fill_null(""),
        pl.col("overview").fill_null("").alias("text"),
        pl.col("overview").fill_null(""),
        pl.exclude("id", "title", "overview"),
    )
