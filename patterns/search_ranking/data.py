"""What a row, a label and a split mean in search: collection -> documents and judged queries.

A row is a query with the documents that people judged for it; a label is the grade of one of them,
0 for judged and not relevant. What nobody judged is unknown, not irrelevant.

Queries are split, never judgments, and **alike queries stay together**: "the godfather",
"godfather" and "Godfather the" have the same stems, so a ranker that trained on one would know the
answers to the other. Groups are therefore the normalised query texts (and, through them, the query
ids). Documents are not split: a corpus is there before its queries. A query without a relevant
document in the corpus says nothing about an order and is left out; the report says how many were.

Shapes: B queries, M judged documents a query (-1 padded), N documents.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from patterns.search_ranking.config import Config, SplitOptions
from patterns.search_ranking.stages.documents import tidy

if TYPE_CHECKING:
    from data.tables import SearchCollection, Source

PUBLIC, SIMULATED = "msrd", "simulated-films"


@dataclass(frozen=True)
class JudgedQueries:
    """Queries and the documents judged for each, as row numbers."""

    query_ids: tuple[str, ...]
    texts: tuple[str, ...]
    rows: np.ndarray  # (B, M) int64, -1 padded
    grades: np.ndarray  # (B, M) int8, 0 where padded

    def __len__(self) -> int:
        return len(self.texts)

    def relevant(self) -> list[np.ndarray]:
        """Rows of the relevant documents of each query; never empty."""
        return [rows[grades > 0] for rows, grades in zip(self.rows, self.grades, strict=True)]

    def gains_of(self, item_ids: np.ndarray, *, unjudged: float = 0.0) -> np.ndarray:
        """Grade of each ranked document (B, K); `unjudged` stands for one without, padding is 0."""
        gains = np.zeros(item_ids.shape)
        for place, (rows, grades) in enumerate(zip(self.rows, self.grades, strict=True)):
            known = dict(zip(rows.tolist(), grades.tolist(), strict=True)) | {-1: 0}
            gains[place] = [known.get(item, unjudged) for item in item_ids[place].tolist()]
        return gains

    def part(self, members: np.ndarray) -> JudgedQueries:
        """The queries at `members`, an index array or a mask."""
        places = np.arange(len(self))[members]
        return JudgedQueries(
            tuple(self.query_ids[place] for place in places),
            tuple(self.texts[place] for place in places),
            self.rows[places],
            self.grades[places],
        )


@dataclass(frozen=True)
class Splits:
    """The corpus and three sets of queries without a like query in two of them."""

    source: Source
    documents: pl.DataFrame
    train: JudgedQueries
    valid: JudgedQueries
    test: JudgedQueries


def load(config: Config) -> SearchCollection:
    """Read the collection that `config` names."""
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
        offline=SIMULATED,
        seed=config.seed,
        films=config.world.films,
        queries=config.world.queries,
    )


def split(table: SearchCollection, config: SplitOptions, *, seed: int = 0) -> Splits:
    """Cut the queries in three by groups of like texts, and tidy the documents."""
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
    train_share = 1.0 - config.valid_share - config.test_share
    shares = (train_share, config.valid_share, config.test_share)
    try:
        parts = grouped_split(groups, shares, seed=seed)
    except ValueError as cause:
        raise ValueError(
            f"queries: {len(set(groups)):,} groups of unlike queries cannot be cut in three;"
            " give more queries"
        ) from cause
    train, valid, test = (judged.part(rows) for rows in parts)
    source = table.source
    if left_out:
        said = f"{left_out:,} queries without a relevant document in the corpus were left out."
        source = replace(source, notice=" ".join(filter(None, [source.notice, said])))
    return Splits(source, documents, train, valid, test)


def _judged(table: SearchCollection, documents: pl.DataFrame) -> tuple[JudgedQueries, int]:
    """Judgments by query, in the order of the queries, and how many queries were left out."""
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
        _padded(known["row"].to_list(), width, -1, np.int64),
        _padded(known["grade"].to_list(), width, 0, np.int8),
    )
    return judged, table.queries.height - known.height


def _padded(lists: list[list[int]], width: int, value: int, kind: type) -> np.ndarray:
    out: np.ndarray = np.full((len(lists), width), value, kind)
    for place, entries in enumerate(lists):
        out[place, : len(entries)] = entries
    return out
