"""Features, box 2: one row of numbers for each pair of a query and a candidate document.

The only place where a feature is computed. Training calls it with thousands of queries and their
judged documents, the service with one query and its candidates; a test holds the two equal to the
last bit. Three kinds (S7 of docs/CONCEPTS.md, the user-independent ones):

    match       BM25 per field, cosine, and how exactly the title is what was typed
    document    its numbers: votes, rating, popularity, year of films, yours of your own documents
    query       length, rarity: they change nothing alone, but tell the trees which match to trust

Title matches are on stems in order: prefix, longest common run, idf-weighted coverage both ways,
and trigrams of the title without its spaces, which sees through "spiderman" and most misspellings.
Which features there are follows from the schema of the documents; a year and a sequel's number in
the query are looked for among films alone. A missing number gives NaN, which the trees can take.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Self

import numba
import numpy as np
import polars as pl

from common.retrieval.analysis import fold, tokens
from common.retrieval.bm25 import BM25
from common.retrieval.dense import Dense
from patterns.search_ranking.entities.documents import ALL, Schema

# Shapes: B queries, K candidates (-1 padded), N documents, F features

TITLE = ("title_exact", "title_prefix", "title_run", "title_coverage", "query_in_title")
TRIGRAMS = ("trigrams_of_title", "trigrams_of_query")
FILM = ("year_gap", "number_match")  # the year that was typed, the number of a sequel
FILM_NUMBERS = ("votes", "rating", "popularity", "budget", "year")
COUNTED = ("votes", "popularity", "budget")  # spread over magnitudes: taken by their logarithm
QUERY = ("query_length", "query_idf", "query_rarest")


def names_of(schema: Schema) -> tuple[str, ...]:
    """Return the names of the features of documents with this schema, in their order."""
    numbers = FILM_NUMBERS if schema.films else [f"value_{name}" for name in schema.numbers]
    return (
        *(f"bm25_{field}" for field in schema.indexed),
        "cosine",
        *(f"coverage_{field}" for field in schema.covered),
        *TITLE,
        *TRIGRAMS,
        *(FILM if schema.films else ()),
        *numbers,
        "title_length",
        *QUERY,
    )


_ROMAN = {"ii": 2, "iii": 3, "iv": 4, "v": 5, "vi": 6, "vii": 7, "viii": 8, "ix": 9}
_YEAR = re.compile(r"\b(19\d\d|20\d\d)\b")


class Features:
    """Builds (B, K, F) feature blocks; document-side tables are made once, in `fit`."""

    def __init__(self, *, bm25: BM25, dense: Dense, schema: Schema) -> None:
        self.bm25, self.dense, self.schema = bm25, dense, schema
        self.names = names_of(schema)

    def fit(self, documents: pl.DataFrame) -> Self:
        """Prepare what depends on documents alone: numbers, title stems, title trigrams."""
        titles = documents["title"].to_list()
        self.title_terms_, self.title_starts_ = self.bm25.indices_["title"].terms(titles)
        self.trigram_ids_: dict[str, int] = {}
        grams = [_trigrams(title) for title in titles]
        for gram in sorted(set().union(*grams)):
            self.trigram_ids_[gram] = len(self.trigram_ids_)
        self.title_grams_, self.gram_starts_ = self._gram_numbers(grams)
        self.title_numbers_ = np.array([_number(title) for title in titles], np.int64)
        self.document_ = self._document_numbers(documents)
        return self

    def _document_numbers(self, documents: pl.DataFrame) -> np.ndarray:
        """Return the numbers of each document and the length of its title, float32 (N, 1 + …)."""
        kept = FILM_NUMBERS if self.schema.films else self.schema.numbers
        numbers = [
            pl.col(name).cast(pl.Float64).log1p()
            if self.schema.films and name in COUNTED
            else pl.col(name).cast(pl.Float64)
            for name in kept
        ]
        columns = [*documents.select(numbers).to_numpy().T, np.diff(self.title_starts_)]
        return np.stack(columns, axis=1).astype(np.float32)

    def transform(
        self, queries: Sequence[str], query_vectors: np.ndarray, rows: np.ndarray
    ) -> np.ndarray:
        """Describe each query's documents: rows (B, K), -1 padded -> (B, K, F) float32."""
        assert len(queries) == len(rows) == len(query_vectors)
        rows = np.ascontiguousarray(rows, np.int64)
        block = np.zeros((*rows.shape, len(self.names)), np.float32)
        columns = {name: block[:, :, place] for place, name in enumerate(self.names)}
        for field in self.schema.indexed:
            columns[f"bm25_{field}"][:] = self.bm25.indices_[field].score_pairs(queries, rows)
        columns["cosine"][:] = self.dense.cosines(query_vectors, rows)
        for field in self.schema.covered:
            columns[f"coverage_{field}"][:] = self._coverage(field, queries, rows)
        self._title_matches(queries, rows, block)
        self._trigram_matches(queries, rows, block)
        if self.schema.films:
            self._numbers(queries, rows, columns)
        self._document_and_query(queries, rows, columns)
        return block

    def _coverage(self, field: str, queries: Sequence[str], rows: np.ndarray) -> np.ndarray:
        """Return the share of the query's idf that the field of each document holds."""
        index = self.bm25.indices_[field]
        terms, starts = index.terms(queries)
        out = np.zeros(rows.shape, np.float32)
        postings = index.offsets_, index.documents_
        _covered(terms, starts, index.idf(terms), *postings, rows, out)
        return out

    def _title_matches(self, queries: Sequence[str], rows: np.ndarray, block: np.ndarray) -> None:
        index = self.bm25.indices_["title"]
        terms, starts = index.terms(queries)
        first = self.names.index(TITLE[0])
        out = np.zeros((*rows.shape, len(TITLE)), np.float32)
        _compare_titles(
            terms,
            starts,
            index.idf(terms),
            self.title_terms_,
            self.title_starts_,
            index.idf(self.title_terms_),
            rows,
            out,
        )
        block[:, :, first : first + len(TITLE)] = out

    def _trigram_matches(self, queries: Sequence[str], rows: np.ndarray, block: np.ndarray) -> None:
        grams, starts = self._gram_numbers([_trigrams(query) for query in queries])
        first = self.names.index(TRIGRAMS[0])
        out = np.zeros((*rows.shape, len(TRIGRAMS)), np.float32)
        _share_grams(grams, starts, self.title_grams_, self.gram_starts_, rows, out)
        block[:, :, first : first + len(TRIGRAMS)] = out

    def _gram_numbers(self, grams: Sequence[set[str]]) -> tuple[np.ndarray, np.ndarray]:
        """Return sorted trigram numbers of each text, flat, -1 where unknown, and offsets."""
        numbers = [sorted(self.trigram_ids_.get(gram, -1) for gram in row) for row in grams]
        starts = np.zeros(len(grams) + 1, np.int64)
        np.cumsum([len(row) for row in numbers], out=starts[1:])
        return np.array([gram for row in numbers for gram in row], np.int64), starts

    def _numbers(
        self, queries: Sequence[str], rows: np.ndarray, columns: dict[str, np.ndarray]
    ) -> None:
        """Fill in the distance to a typed year (NaN without), and compare sequel numbers."""
        years = np.array([_year(query) for query in queries], np.float32)[:, None]  # (B, 1)
        known = self.document_[:, FILM_NUMBERS.index("year")][rows]
        columns["year_gap"][:] = np.minimum(np.abs(known - years), 30)
        typed = np.array([_number(query) for query in queries], np.int64)[:, None]
        numbers = self.title_numbers_[rows]
        agrees = np.where(typed == numbers, 1, np.where(numbers > 0, -1, -2))
        columns["number_match"][:] = np.where(typed > 0, agrees, np.where(numbers > 0, -3, 0))

    def _document_and_query(
        self, queries: Sequence[str], rows: np.ndarray, columns: dict[str, np.ndarray]
    ) -> None:
        first = self.names.index(QUERY[0]) - self.document_.shape[1]
        for place, name in enumerate(self.names[first : self.names.index(QUERY[0])]):
            columns[name][:] = self.document_[:, place][rows]
        index = self.bm25.indices_[ALL]
        terms, starts = index.terms(queries)
        weights = index.idf(terms)
        for query in range(len(queries)):
            own = weights[starts[query] : starts[query + 1]]
            columns["query_length"][query] = len(own)
            columns["query_idf"][query] = own.sum()
            columns["query_rarest"][query] = own.max() if len(own) else 0.0


def _year(query: str) -> float:
    """Return the last year typed, NaN where there is none."""
    found = _YEAR.findall(query)
    return float(found[-1]) if found else np.nan


def _number(text: str) -> int:
    """Return the last number of a sequel (1 to 99, Arabic or Roman) in a text; 0 for none."""
    for word in reversed(tokens(text)):
        if word.isascii() and word.isdigit() and 0 < int(word) < 100:
            return int(word)
        if word in _ROMAN:
            return _ROMAN[word]
    return 0


def _trigrams(text: str) -> set[str]:
    """Return letter trigrams of the text without spaces and signs; short texts give themselves."""
    letters = re.sub(r"[\W_]", "", fold(text))
    return {letters[place : place + 3] for place in range(max(1, len(letters) - 2))} - {""}


@numba.njit(cache=True)
def _covered(
    terms: np.ndarray,
    starts: np.ndarray,
    term_idf: np.ndarray,
    offsets: np.ndarray,
    documents: np.ndarray,
    rows: np.ndarray,
    out: np.ndarray,
) -> None:  # pragma: no cover - compiled
    """Fill out (B, K): Σ idf of the query terms a document holds / Σ idf of the query."""
    for query in range(rows.shape[0]):
        total = term_idf[starts[query] : starts[query + 1]].sum()
        for place in range(starts[query], starts[query + 1]):
            term = terms[place]
            if term < 0:
                continue
            postings = documents[offsets[term] : offsets[term + 1]]
            share = term_idf[place] / total
            for column in range(rows.shape[1]):
                row = rows[query, column]
                found = np.searchsorted(postings, row)
                if row >= 0 and found < len(postings) and postings[found] == row:
                    out[query, column] += share


@numba.njit(cache=True)
def _compare_titles(
    terms: np.ndarray,
    starts: np.ndarray,
    term_idf: np.ndarray,
    title_terms: np.ndarray,
    title_starts: np.ndarray,
    title_idf: np.ndarray,
    rows: np.ndarray,
    out: np.ndarray,
) -> None:  # pragma: no cover - compiled
    """Fill out (B, K, 5): exact, prefix and longest run as shares of the title, both coverages."""
    for query in range(rows.shape[0]):
        typed = terms[starts[query] : starts[query + 1]]
        typed_idf = term_idf[starts[query] : starts[query + 1]]
        for column in range(rows.shape[1]):
            row = rows[query, column]
            if row < 0:
                continue
            title = title_terms[title_starts[row] : title_starts[row + 1]]
            own_idf = title_idf[title_starts[row] : title_starts[row + 1]]
            if len(title) == 0 or len(typed) == 0:
                continue
            prefix, run = _common_runs(typed, title)
            out[query, column, 0] = prefix == len(title) and prefix == len(typed)
            out[query, column, 1] = prefix / len(title)
            out[query, column, 2] = run / len(title)
            out[query, column, 3] = _held(title, own_idf, typed)
            out[query, column, 4] = _held(typed, typed_idf, title)


@numba.njit(cache=True)
def _common_runs(typed: np.ndarray, title: np.ndarray) -> tuple[int, int]:  # pragma: no cover
    """Measure the common prefix and the longest common run of terms."""
    prefix, longest = 0, 0
    for start in range(len(typed)):
        for other in range(len(title)):
            length = 0
            while (
                start + length < len(typed)
                and other + length < len(title)
                and typed[start + length] == title[other + length]
            ):
                length += 1
            longest = max(longest, length)
            if start == 0 and other == 0:
                prefix = length
    return prefix, longest


@numba.njit(cache=True)
def _held(terms: np.ndarray, idf: np.ndarray, by: np.ndarray) -> float:  # pragma: no cover
    """Return the share of the idf of `terms` whose terms are among `by`."""
    held, total = 0.0, 0.0
    for place in range(len(terms)):
        total += idf[place]
        for term in by:
            if term == terms[place] and term >= 0:
                held += idf[place]
                break
    return held / total


@numba.njit(cache=True)
def _share_grams(
    grams: np.ndarray,
    starts: np.ndarray,
    title_grams: np.ndarray,
    title_starts: np.ndarray,
    rows: np.ndarray,
    out: np.ndarray,
) -> None:  # pragma: no cover - compiled
    """Count common trigrams as a share of the title's and of the query's; lists are sorted."""
    for query in range(rows.shape[0]):
        low, high = starts[query], starts[query + 1]
        for column in range(rows.shape[1]):
            row = rows[query, column]
            if row < 0 or low == high or title_starts[row] == title_starts[row + 1]:
                continue
            here, there, common = low, title_starts[row], 0
            while here < high and there < title_starts[row + 1]:
                if grams[here] == title_grams[there]:
                    common, here, there = common + 1, here + 1, there + 1
                elif grams[here] < title_grams[there]:
                    here += 1
                else:
                    there += 1
            out[query, column, 0] = common / (title_starts[row + 1] - title_starts[row])
            out[query, column, 1] = common / (high - low)
