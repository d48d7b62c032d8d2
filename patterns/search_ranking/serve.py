r"""Artifact -> HTTP: a query in, a page of results out, each with its sources and its reasons.

    python -m patterns.search_ranking.serve --run latest
    curl -s 127.0.0.1:8000/predict -H 'content-type: application/json' \
      -d '{"query": "space heist", "k": 5, "year_from": 1990}'

Filters are obeyed before candidates are drawn, so a narrow one still fills the page. A genre or
person that the corpus does not have is refused with the nearest names, not answered with nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, Field

from common.artifacts import Run
from common.serving import (
    RequestError,
    Service,
    ServiceRequest,
    ServiceResponse,
    serve_main,
    shown,
)
from patterns.search_ranking.config import NAME

if TYPE_CHECKING:
    from patterns.search_ranking.entities.results import Hit
    from patterns.search_ranking.stages.rules import Condition


class SearchRequest(ServiceRequest):
    """What is searched, how much of it is wanted, and within which documents."""

    query: Annotated[str, shown("search")] = Field(
        min_length=1, max_length=500, description="what a person would type"
    )
    k: int = Field(default=10, ge=1, le=10_000, strict=True, description="number of results")
    genre: str | None = Field(default=None, max_length=100, description="only of this genre")
    actor: str | None = Field(default=None, max_length=200, description="only with this actor")
    director: str | None = Field(default=None, max_length=200, description="only by this director")
    year_from: int | None = Field(default=None, ge=0, le=9999, description="earliest year")
    year_to: int | None = Field(default=None, ge=0, le=9999, description="latest year")
    facets: dict[str, str] = Field(
        default={}, max_length=20, description="of your own documents: field -> value it must hold"
    )
    at_least: dict[str, float] = Field(
        default={}, max_length=20, description="of your own documents: number -> lowest value"
    )
    at_most: dict[str, float] = Field(
        default={}, max_length=20, description="of your own documents: number -> highest value"
    )

    def filters(self) -> dict[str, Condition]:
        """Return the conditions that documents must meet, by the field that asks for each."""
        from patterns.search_ranking.stages.rules import Condition

        found: dict[str, Condition] = {}
        for name, field in (("genre", "genres"), ("actor", "actors"), ("director", "director")):
            if getattr(self, name) is not None:
                found[name] = Condition(field, getattr(self, name))
        if self.year_from is not None:
            found["year_from"] = Condition("year", above=self.year_from - 0.5)
        if self.year_to is not None:
            found["year_to"] = Condition("year", below=self.year_to + 0.5)
        for name, value in self.facets.items():
            found[f"facets.{name}"] = Condition(name, value)
        for name, low in self.at_least.items():
            found[f"at_least.{name}"] = Condition(name, above=math.nextafter(low, -math.inf))
        for name, high in self.at_most.items():
            found[f"at_most.{name}"] = Condition(name, below=math.nextafter(high, math.inf))
        return found


class SearchResult(BaseModel):
    """One document of the page."""

    doc_id: str
    title: Annotated[str, shown("title")]
    facts: Annotated[dict[str, str], shown("facts")] = Field(description="numbers and categories")
    snippet: Annotated[str, shown("snippet")] = Field(
        description="the piece of its text around a word of the query"
    )
    score: float | None = Field(description="of the list that orders the page; null if pinned")
    lexical_rank: int | None = Field(description="place in the BM25 list; null if not in it")
    dense_rank: int | None = Field(description="place in the dense list; null if not in it")
    reasons: Annotated[list[str], shown("why")] = Field(
        description="what raised it most; given for the first ten"
    )


class SearchResponse(ServiceResponse):
    """A page, best first; shorter than `k` where no more documents meet the filters."""

    results: Annotated[list[SearchResult], shown("results")]


class SearchService(Service):
    """Finds the documents that answer a query best, in words or in meaning, and tells why."""

    name = NAME
    Request = SearchRequest
    Response = SearchResponse

    def __init__(self, run: Run) -> None:
        from patterns.search_ranking.pipeline import Pipeline

        self.version = run.version
        self.pipeline = Pipeline.load(run.pipeline)
        self.example = {"query": self.pipeline.example, "k": 5}

    def predict(self, requests: Sequence[SearchRequest]) -> list[SearchResponse]:
        """Search once for all requests of equal filters and length, and answer in order."""
        equal: dict[tuple[tuple[Condition, ...], int], list[int]] = {}
        for row, request in enumerate(requests):
            self._check(request, row)
            equal.setdefault((tuple(request.filters().values()), request.k), []).append(row)
        answers: dict[int, SearchResponse] = {}
        for (filters, k), rows in equal.items():
            found = self.pipeline.search([requests[row].query for row in rows], k, filters=filters)
            for row, hits in zip(rows, found.hits, strict=True):
                answers[row] = SearchResponse(
                    model_version=self.version,
                    stage_ms=found.milliseconds,
                    results=self._results(requests[row].query, hits),
                )
        return [answers[row] for row in range(len(requests))]

    def _results(self, query: str, hits: Sequence[Hit]) -> list[SearchResult]:
        """Put to each hit what the page shows of its document."""
        from patterns.search_ranking.stages.snippets import facts_of, snippet_of

        schema = self.pipeline.schema
        documents = self.pipeline.documents[[hit.row for hit in hits]].rows(named=True)
        return [
            SearchResult(
                doc_id=hit.doc_id,
                title=hit.title,
                facts=facts_of(document, schema),
                snippet=snippet_of(document, schema, query),
                score=hit.score,
                lexical_rank=hit.lexical_rank,
                dense_rank=hit.dense_rank,
                reasons=list(hit.reasons),
            )
            for hit, document in zip(hits, documents, strict=True)
        ]

    def _check(self, request: SearchRequest, row: int) -> None:
        """Refuse what only the corpus can know to be wrong."""
        if not any(letter.isalnum() for letter in request.query):
            raise RequestError(
                "query", request.query, "has no word to search for", "give one", row=row
            )
        first, last = request.year_from, request.year_to
        if first is not None and last is not None and first > last:
            raise RequestError(
                "year_from", first, f"is after year_to ({last})", "swap the two", row=row
            )
        for field, condition in request.filters().items():
            try:
                condition.mask(self.pipeline.documents)
            except ValueError as problem:
                message, _, remedy = str(problem).partition("; ")
                raise RequestError(
                    field, condition.value, message, remedy or "correct it", row=row
                ) from problem


if __name__ == "__main__":
    serve_main(SearchService, NAME, description="Serve search over HTTP.")
