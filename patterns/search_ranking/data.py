"""What a row, a label and leakage mean in search: collection -> documents and judged queries.

A row is a query with the documents that people judged for it; a label is the grade of one of them,
0 for judged and not relevant. What nobody judged is unknown, not irrelevant.

A split that the collection gives is kept: its test queries are the test, validation is its dev, or
drawn from its training queries. Otherwise queries are drawn, never judgments, and **similar
queries stay together**: "the godfather", "godfather" and "Godfather the" have the same stems, so a
ranker that trained on one would know the answers to the other. Groups are therefore the normalised
query texts (and, through them, the query ids). Documents are not split: a corpus is there before
its queries. A query without a relevant document in the corpus says nothing about an order and is
left out; the report says how many were.

Shapes: B queries, M judged documents a query (-1 padded).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from common.retrieval import MISSING
from patterns.search_ranking.config import Config
from patterns.search_ranking.entities.documents import Schema, tidy
from patterns.search_ranking.entities.queries import JudgedQueries

if TYPE_CHECKING:
    from data.tables import SearchCollection, Source

PUBLIC, OFFLINE = "msrd", "simulated-films"
FEWEST = 20  # queries that can be cut in three
ENOUGH = 50  # validation queries, where the training queries allow as many

Rows = tuple[np.ndarray, ...]  # of the train, valid and test queries


@dataclass(frozen=True)
class Splits:
    """The corpus and three sets of queries; drawn, similar queries are in one set together."""

    source: Source
    documents: pl.DataFrame
    schema: Schema
    train: JudgedQueries
    valid: JudgedQueries
    test: JudgedQueries
    notices: tuple[str, ...] = ()


def load(config: Config) -> SearchCollection:
    """Read the dataset that `config` names; auto falls back to `OFFLINE`, with a notice."""
    import data
    from data.tables import SearchCollection

    if config.dataset in config.own_datasets:
        return _own(config)
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


def _own(config: Config) -> SearchCollection:
    """Read the user's own collection, by the door that `config.dataset` names."""
    from data import files

    assert config.data.path is not None
    texts = tuple(config.data.field_weights())
    fields = files.Fields(texts=texts, facets=config.data.facets, numbers=config.data.numbers)
    if config.dataset == "beir":
        return files.search_from_beir(config.data.path, fields)
    door = files.search_from_trec if config.dataset == "trec" else files.search_from_smart
    return door(config.data.path, fields, encoding=config.data.encoding)


def split(table: SearchCollection, config: Config) -> Splits:
    """Part the queries as given, or by groups of similar texts, and tidy the documents.

    Raises `ValueError` where there are too few queries, or too few groups of them.
    """
    schema = Schema.of(table.documents)
    documents = tidy(table.documents, schema)
    judged, left_out = _judged(table, documents)
    judged, notices = _without_itself(judged, documents, table)
    if left_out:
        notices.append(
            f"{left_out:,} queries without a relevant document in the corpus were left out."
        )
    if len(judged) < FEWEST:
        raise ValueError(
            f"queries: {len(judged)} have a relevant document, too few to split;"
            f" give a collection with at least {FEWEST}"
        )
    from common.retrieval.analysis import normalised

    groups = np.array([normalised(text) for text in judged.texts])
    parts, said = _parts(table, judged, groups, config)
    train, valid, test = (judged.part(rows) for rows in parts)
    return Splits(
        table.source, documents, schema, train, valid, test, tuple(filter(None, [*notices, said]))
    )


def _parts(
    table: SearchCollection, judged: JudgedQueries, groups: np.ndarray, config: Config
) -> tuple[Rows, str]:
    """Choose the rows of train, valid and test; say how, where the user's own split is at stake."""
    given = {
        part: np.flatnonzero(np.isin(judged.query_ids, members))
        for part, members in table.split.items()
    }
    given = {part: rows for part, rows in given.items() if len(rows)}
    if set(given) == {"train", "valid"}:
        parts, said = _kept({"train": given["train"], "test": given["valid"]}, groups, config)
        return parts, f"No test is given: dev is the test. {said}"
    if "test" in given and len(given) > 1:
        return _kept(given, groups, config)
    shares = (config.split.valid_share, config.split.test_share)
    drawn = _drawn(groups, (1.0 - sum(shares), *shares), seed=config.seed)
    percent = f"{1.0 - sum(shares):.0%}, {shares[0]:.0%} and {shares[1]:.0%}"
    if table.source.origin != "file":
        return drawn, ""
    what = f"judgments of {' and '.join(given)} alone are" if given else "no split is"
    return drawn, (
        f"{what[0].upper()}{what[1:]} given: the queries were drawn into train, valid and test "
        f"({percent})."
    )


def _kept(given: dict[str, np.ndarray], groups: np.ndarray, config: Config) -> tuple[Rows, str]:
    """Keep the given test; draw validation from train, or train from dev, where one is missing."""
    test = given["test"]
    counts = ", ".join(f"{len(rows):,} {part}" for part, rows in given.items())
    said = f"The given split is kept: {counts} queries."
    if "train" in given and "valid" in given:
        parts = given["train"], given["valid"], test
    else:
        pool = given.get("train", given.get("valid"))
        assert pool is not None
        share = max(config.split.valid_share, min(1 / 3, ENOUGH / len(pool)))
        train, valid = _drawn(groups[pool], (1.0 - share, share), seed=config.seed)
        parts = pool[train], pool[valid], test
        of = "training" if "train" in given else "dev"
        said += f" Validation is drawn from the {of} queries: {len(valid):,} of {len(pool):,}."
    similar = int(np.isin(groups[test], groups[np.concatenate(parts[:2])]).sum())
    if similar:
        said += f" {similar:,} test queries have the words of a query in another part."
    return parts, said


def _drawn(groups: np.ndarray, shares: tuple[float, ...], *, seed: int) -> tuple[np.ndarray, ...]:
    from common.evaluation.splits import grouped_split

    try:
        return grouped_split(groups, shares, seed=seed)
    except ValueError as cause:
        raise ValueError(
            f"queries: {len(set(groups)):,} groups of different queries cannot be cut in"
            f" {len(shares)}; give more queries"
        ) from cause


def _without_itself(
    judged: JudgedQueries, documents: pl.DataFrame, table: SearchCollection
) -> tuple[JudgedQueries, list[str]]:
    """Mark the documents that are a query themselves, unless they were judged relevant to it."""
    if not table.identical_ids:
        return judged, []
    rows = {doc_id: row for row, doc_id in enumerate(documents["doc_id"])}
    own = np.array([rows.get(name, MISSING) for name in judged.query_ids], np.int64)
    relevant = ((judged.rows == own[:, None]) & (judged.grades > 0)).any(axis=1)
    own = np.where(relevant, MISSING, own)
    count = int((own != MISSING).sum())
    said = (
        f"{count:,} queries have the id of a document: it is left out of their results, as BEIR "
        "scores them."
    )
    return replace(judged, own=own), [said] if count else []


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
