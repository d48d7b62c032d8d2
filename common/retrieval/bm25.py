"""Lexical retrieval: an inverted index per field, scored by BM25. The baseline of search.

A postings list holds, for one term, the documents that contain it. The lists stand one after the
other in two flat arrays, with a third of offsets (compressed sparse rows: term -> documents). What
a term adds to a document's score depends on nothing in the query, so it is worked out once, when
the index is built, and a search is a sum over the lists of the query's terms:

    score(q, d) = Σ_{t in q} ln(1 + (N-n_t+½) / (n_t+½)) · f / (f + k1 (1 - b + b |d| / avg|d|))

f: occurrences of t in d; n_t: documents with t; N: documents; |d|: length in tokens; k1: how soon
repetition stops counting; b: how much long documents are held back. A term that a query repeats
counts as often. Source: Robertson and Zaragoza 2009, "The Probabilistic Relevance Framework", §3;
the constant factor k1 + 1 is left out as in Lucene 8 (it changes no order).
`BM25` is the weighted sum over fields, a linear mix rather than BM25F's pooled term frequencies.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numba
import numpy as np

from common.atomic import write_json
from common.retrieval.analysis import ANALYSERS
from common.retrieval.candidates import Candidates, top_k

# Shapes: B queries, N documents, K candidates, V terms, P postings


@dataclass(frozen=True)
class Field:
    """How one field is indexed: analyser and BM25 constants."""

    analyser: str = "english"
    k1: float = 1.2
    b: float = 0.75


class InvertedIndex:
    """BM25 over one field."""

    def __init__(self, *, analyser: str = "english", k1: float = 1.2, b: float = 0.75) -> None:
        assert analyser in ANALYSERS, analyser
        self.analyser, self.k1, self.b = analyser, k1, b

    def fit(self, texts: Sequence[str]) -> Self:
        """Index `texts`; row numbers are the document numbers of every answer."""
        analyse = ANALYSERS[self.analyser]
        vocabulary: dict[str, int] = {}
        lengths = np.zeros(len(texts), np.int64)
        term_ids: list[int] = []
        for row, text in enumerate(texts):
            words = analyse(text)
            lengths[row] = len(words)
            term_ids.extend(vocabulary.setdefault(word, len(vocabulary)) for word in words)
        self.vocabulary_, self.count_, self.lengths_ = vocabulary, len(texts), lengths
        self._invert(np.array(term_ids, np.int64))
        return self

    def _invert(self, term_ids: np.ndarray) -> None:
        """Turn occurrences in reading order into postings by term with their finished weights."""
        rows = np.repeat(np.arange(self.count_), self.lengths_)  # document of each occurrence
        pairs, frequency = np.unique(term_ids * max(1, self.count_) + rows, return_counts=True)
        terms, documents = np.divmod(pairs, max(1, self.count_))  # (P,) by term, then document
        document_frequency = np.bincount(terms, minlength=len(self.vocabulary_))  # (V,) n_t
        self.offsets_ = np.concatenate([[0], np.cumsum(document_frequency)]).astype(np.int64)
        self.idf_ = _idf(document_frequency, self.count_).astype(np.float32)
        self.documents_, self.frequency_ = documents.astype(np.int32), frequency
        self.weigh(self.k1, self.b)

    def weigh(self, k1: float, b: float) -> None:
        """Give the postings their weights anew, by other constants; not after `from_arrays`."""
        self.k1, self.b = k1, b
        average = self.lengths_.mean() if self.lengths_.sum() else 1.0
        norm = k1 * (1 - b + b * self.lengths_ / average)  # (N,)
        terms = np.repeat(np.arange(len(self.idf_)), self.document_frequency)  # (P,)
        weights = self.idf_[terms] * self.frequency_ / (self.frequency_ + norm[self.documents_])
        self.weights_ = weights.astype(np.float32)

    @property
    def document_frequency(self) -> np.ndarray:
        """Count the documents that contain each term, (V,)."""
        return np.diff(self.offsets_)

    def terms(self, queries: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Return term numbers of a batch, flat, -1 for unknown terms, and offsets (B+1,)."""
        analyse = ANALYSERS[self.analyser]
        found = [[self.vocabulary_.get(word, -1) for word in analyse(query)] for query in queries]
        offsets = np.zeros(len(queries) + 1, np.int64)
        np.cumsum([len(row) for row in found], out=offsets[1:])
        return np.array([term for row in found for term in row], np.int64), offsets

    def idf(self, terms: np.ndarray) -> np.ndarray:
        """Return the rarity of each term; a term the index lacks is as rare as can be."""
        unseen = _idf(np.zeros(1), self.count_)[0]
        known = np.append(self.idf_, np.float32(unseen))
        return known[terms]  # -1 takes the last: the unseen one

    def scores(self, queries: Sequence[str]) -> np.ndarray:
        """Score all documents: (B, N) float32, 0 where a document shares no term."""
        out = np.zeros((len(queries), self.count_), np.float32)
        postings = self.offsets_, self.documents_, self.weights_
        _score_all(*self.terms(queries), *postings, out)
        return out

    def score_pairs(self, queries: Sequence[str], rows: np.ndarray) -> np.ndarray:
        """Score given documents only: rows (B, K), -1 padding scores 0 -> (B, K) float32."""
        assert len(rows) == len(queries), (rows.shape, len(queries))
        out = np.zeros(rows.shape, np.float32)
        postings = self.offsets_, self.documents_, self.weights_
        _score_pairs(*self.terms(queries), *postings, np.ascontiguousarray(rows, np.int64), out)
        return out

    def arrays(self) -> dict[str, np.ndarray]:
        """Return everything learned as plain arrays for an npz file.

        Words are one run of UTF-8 bytes: in an array of texts each would be as wide as the longest.
        """
        return {
            "words": np.frombuffer("\n".join(self.vocabulary_).encode(), np.uint8),
            "offsets": self.offsets_,
            "documents": self.documents_,
            "weights": self.weights_,
            "idf": self.idf_,
            "count": np.array(self.count_),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], field: Field) -> Self:
        """Make the index of `field` that `arrays` came from."""
        index = cls(analyser=field.analyser, k1=field.k1, b=field.b)
        words = arrays["words"].tobytes().decode().split("\n") if len(arrays["words"]) else []
        index.vocabulary_ = {word: number for number, word in enumerate(words)}
        index.offsets_, index.documents_ = arrays["offsets"], arrays["documents"]
        index.weights_, index.idf_ = arrays["weights"], arrays["idf"]
        index.count_ = int(arrays["count"])
        return index


class BM25:
    """A weighted sum of the fields' scores."""

    def __init__(self, *, fields: Mapping[str, Field], weights: Mapping[str, float]) -> None:
        unknown = sorted(set(weights) - set(fields))
        if unknown:
            raise ValueError(f"weights name no field: {unknown}; the fields are {sorted(fields)}")
        self.fields, self.weights = dict(fields), dict(weights)

    def fit(self, texts: Mapping[str, Sequence[str]]) -> Self:
        """Index each field: field name -> one text a document, all of one length."""
        self.indices_ = {
            name: InvertedIndex(analyser=field.analyser, k1=field.k1, b=field.b).fit(texts[name])
            for name, field in self.fields.items()
        }
        return self

    def choose(
        self,
        ndcg_of: Callable[[BM25], float],
        *,
        constants: Sequence[tuple[float, float]],
        mixes: Sequence[Mapping[str, float]],
    ) -> Self:
        """Choose k1, b and the weights of the fields by the NDCG of the lists; ties to the first.

        The NDCG of the choice stands in `chosen_ndcg_`.
        """
        self.chosen_ndcg_, best = -1.0, (constants[0], mixes[0])
        for pair in constants:
            self.set_constants(*pair)
            for mix in mixes:
                self.weights = dict(mix)
                value = ndcg_of(self)
                if value > self.chosen_ndcg_ + 1e-9:
                    self.chosen_ndcg_, best = value, (pair, mix)
        self.set_constants(*best[0])
        self.weights = dict(best[1])
        return self

    def set_constants(self, k1: float, b: float) -> None:
        """Give every field the same k1 and b."""
        self.fields = {name: replace(each, k1=k1, b=b) for name, each in self.fields.items()}
        for index in self.indices_.values():
            index.weigh(k1, b)

    def scores(
        self, queries: Sequence[str], *, weights: Mapping[str, float] | None = None
    ) -> np.ndarray:
        """Score all documents: (B, N), the weighted sum of the fields' scores."""
        mix = self.weights if weights is None else weights
        total = np.zeros((len(queries), self.count), np.float32)
        for name, weight in mix.items():
            if weight:
                total += np.float32(weight) * self.indices_[name].scores(queries)
        return total

    def retrieve(
        self,
        queries: Sequence[str],
        k: int,
        *,
        weights: Mapping[str, float] | None = None,
        allowed: np.ndarray | None = None,
    ) -> Candidates:
        """Return the best k documents that share a term with the query and are `allowed` (N,)."""
        scores = self.scores(queries, weights=weights)
        matches = scores > 0
        if allowed is not None:
            matches &= allowed
        return top_k(np.where(matches, scores, -np.inf), k)

    def in_words(self) -> str:
        """Return the constants and the weights of the fields as one phrase."""
        constants = sorted({(each.k1, each.b) for each in self.fields.values()})
        told = ", ".join(f"k1 {k1:g} b {b:g}" for k1, b in constants)
        mix = " ".join(f"{name} {weight:g}" for name, weight in self.weights.items() if weight)
        return f"BM25 {told}, {mix}"

    @property
    def count(self) -> int:
        """Count the documents in the index."""
        return next(iter(self.indices_.values())).count_

    def save(self, folder: Path) -> None:
        """Write one npz a field, and the fields with their weights as JSON."""
        fields = {name: vars(field) for name, field in self.fields.items()}
        write_json(folder / "bm25.json", {"fields": fields, "weights": self.weights})
        for place, index in enumerate(self.indices_.values()):  # a field's name may be no file's
            np.savez_compressed(folder / f"field-{place}.npz", **index.arrays())  # type: ignore[arg-type]

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        settings = json.loads((folder / "bm25.json").read_text(encoding="utf-8"))
        fields = {name: Field(**values) for name, values in settings["fields"].items()}
        bm25 = cls(fields=fields, weights=settings["weights"])
        bm25.indices_ = {}
        for place, (name, field) in enumerate(fields.items()):
            with np.load(folder / f"field-{place}.npz", allow_pickle=False) as arrays:
                bm25.indices_[name] = InvertedIndex.from_arrays(arrays, field)
        return bm25


def _idf(document_frequency: np.ndarray, count: int) -> np.ndarray:
    """Return ln(1 + (N - n_t + ½) / (n_t + ½)), never negative."""
    return np.log1p((count - document_frequency + 0.5) / (document_frequency + 0.5))


@numba.njit(cache=True)
def _score_all(
    terms: np.ndarray,
    starts: np.ndarray,
    offsets: np.ndarray,
    documents: np.ndarray,
    weights: np.ndarray,
    out: np.ndarray,
) -> None:  # pragma: no cover - compiled
    """Walk the postings of each query's terms and add their weights up, in `out` (B, N)."""
    for query in range(len(starts) - 1):
        for term in terms[starts[query] : starts[query + 1]]:
            if term < 0:
                continue
            for place in range(offsets[term], offsets[term + 1]):
                out[query, documents[place]] += weights[place]


@numba.njit(cache=True)
def _score_pairs(
    terms: np.ndarray,
    starts: np.ndarray,
    offsets: np.ndarray,
    documents: np.ndarray,
    weights: np.ndarray,
    rows: np.ndarray,
    out: np.ndarray,
) -> None:  # pragma: no cover - compiled
    """Look each document up in each postings list by bisection, in `out` (B, K)."""
    for query in range(len(starts) - 1):
        for term in terms[starts[query] : starts[query + 1]]:
            if term < 0:
                continue
            low, high = offsets[term], offsets[term + 1]
            postings = documents[low:high]
            for column in range(rows.shape[1]):
                row = rows[query, column]
                if row < 0:
                    continue
                place = np.searchsorted(postings, row)
                if place < high - low and postings[place] == row:
                    out[query, column] += weights[low + place]
