"""What a row, a label and leakage mean in search: collection -> documents and judged queries.

A row is a query with the documents that people judged for it; a label is the grade of one of them,
0 for judged and not relevant. What nobody judged is unknown, not irrelevant.

Queries are split, never judgments, and **similar queries stay together**: "the godfather",
"godfather" and "Godfather the" have the same stems, so a ranker that trained on one would know the
answers to the other. Groups are therefore the normalised query texts (and, through them, the query
ids). Documents are not split: a corpus is there before its queries. A query without a relevant
document in the corpus says nothing about an order and is left out; the report says how many were.

Shapes: B queries, M judged documents a query (-1 padded).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from common.retrieval import MISSING
from patterns.search_ranking.config import Config
from patterns.search_ranking.entities.documents import tidy
from patterns.search_ranking.entities.queries import JudgedQueries

if TYPE_CHECKING:
    from data.tables import SearchCollection, Source

PUBLIC, OFFLINE = "msrd", "simulated-films"


@dataclass(frozen=True)
class Splits:
    """The corpus and three sets of queries; similar queries are in one set together."""

    source: Source
    documents: pl.DataFrame
    train: JudgedQueries
    valid: JudgedQueries
    test: JudgedQueries
    notices: tuple[str, ...] = ()


def load(config: Config) -> SearchCollection:
    """Read the dataset that `config` names; auto falls back to `OFFLINE`, with a notice."""
    import data
    from data.tables import SearchCollection

    if config.dataset == "beir":
        from data.files import search_from_beir

        assert config.data.path is not None
        return search_from_beir(config.data.path)
    return data.load_table(
        SearchCollection,
        config.dataset,
        public=PUBLIC,
        offline=OFFLINE,
        own=config.own_datasets,
        seed=config.seed,
        films=config.world.films,
        queries=config.world.queries,
    )


def split(table: SearchCollection, config: Config) -> Splits:
    """Cut the queries in three by groups of similar texts, and tidy the documents.

    Raises `ValueError` where there are too few queries, or too few groups of them.
    """
    from common.evaluation.splits import grouped_split
    from patterns.search_ranking.stages.analysis import normalised

    documents = tidy(table.documents)
    judged, left_out = _judged(table, documents)
    if len(judged) < 20:
        raise ValueError(
            f"queries: {len(judged)} have a relevant document, too few to split;"
            " give a collection with at least 20"
        )
    groups = np.array([normalised(text) for text in judged.texts])
    valid_share, test_share = config.split.valid_share, config.split.test_share
    shares = (1.0 - valid_share - test_share, valid_share, test_share)
    try:
        parts = grouped_split(groups, shares, seed=config.seed)
    except ValueError as cause:
        raise ValueError(
            f"queries: {len(set(groups)):,} groups of different queries cannot be cut in three;"
            " give more queries"
        ) from cause
    train, valid, test = (judged.part(rows) for rows in parts)
    said = f"{left_out:,} queries without a relevant document in the corpus were left out."
    notices = (said,) if left_out else ()
    return Splits(table.source, documents, train, valid, test, notices)


def _judged(table: SearchCollection, documents: pl.DataFrame) -> tuple[JudgedQueries, int]:
    """Group judgments by query, in the order of the queries; count the queries left out."""
    rows = pl.DataFrame({"doc_id": documents["doc_id"], "row": np.arange(documents.height)})
    pairs = table.judgments.with_columns(pl.col("doc_id").cast(pl.String)).join(rows, on="doc_id")
    lists = (
        pairs.sort("query_id", "row")
        .group_by("query_id", maintain_order=True)
        .agg(pl.col("row"), pl.col("grade"))
        .filter(pl.col("grade").list.max() > 0)
    )
    known = table.queries.join(lists, on="query_id", how="inner", maintain_order="left")
    known = known.filter(pl.col("query").str.strip_chars() != "")
    width = int(known["row"].list.len().max() or 0)  # type: ignore[arg-type]
    judged = JudgedQueries(
        tuple(known["query_id"]),
        tuple(known["query"]),
        _padded(known["row"].to_list(), width, MISSING, np.int64),
        _padded(known["grade"].to_list(), width, 0, np.int8),
    )
    return judged, table.queries.height - known.height


def _padded(lists: list[list[int]], width: int, value: int, kind: type) -> np.ndarray:
    out: np.ndarray = np.full((len(lists), width), value, kind)
    for place, entries in enumerate(lists):
        out[place, : len(entries)] = entries
    return out
