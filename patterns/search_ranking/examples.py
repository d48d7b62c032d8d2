"""A query with its results: titles and reasons, the place in each source, what the judges said."""

from __future__ import annotations

import numpy as np

from common.evaluation.examples import Example, Item, middle
from common.retrieval import MISSING
from patterns.search_ranking.entities.queries import JudgedQueries
from patterns.search_ranking.entities.results import Hit
from patterns.search_ranking.pipeline import Pipeline
from patterns.search_ranking.stages.lists import PAGE

UNJUDGED = -1.0


def examples(pipeline: Pipeline, test: JudgedQueries, ndcg: np.ndarray) -> list[Example]:
    """Return the results of the query in the middle by NDCG (B,).

    A query that is a document itself is left out, since a search by its text would find it.
    """
    has_words = [any(letter.isalnum() for letter in text) for text in test.texts]
    fit = np.flatnonzero(np.array(has_words) & (test.own == MISSING))
    if not len(fit):
        return []
    row = int(fit[middle(ndcg[fit])])
    query = test.texts[row]
    hits = pipeline.search([query], PAGE).hits[0]
    found = np.full((len(test), len(hits)), MISSING)
    found[row] = [hit.row for hit in hits]
    grades = test.gains_of(found, unjudged=UNJUDGED)[row]
    items = tuple(_item(hit, grade) for hit, grade in zip(hits, grades.tolist(), strict=True))
    caption = (
        f"The test query in the middle by NDCG@{PAGE}; grades are the judges', 0 is not relevant."
    )
    return [Example(f"results for “{query}”", caption, items)]


def _item(hit: Hit, grade: float) -> Item:
    facts = {
        "place in BM25": _place(hit.lexical_rank),
        "place in dense": _place(hit.dense_rank),
        "grade": "not judged" if grade == UNJUDGED else f"{grade:g}",
    }
    return Item(hit.title, " · ".join(hit.reasons), facts)


def _place(rank: int | None) -> str:
    return "–" if rank is None else str(rank)
