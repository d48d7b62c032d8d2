"""Why a result is where it is, in words a user of the search page understands.

The ranker's own account is the SHAP contribution of each feature to the score. The features that
raised this document most are put into words with their values; those whose words would be false
(a "title match" of nothing) are passed over. So a reason is never invented beside the model. Where
the page is ordered without the ranker, only matches of query and document are told, in order.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from common.retrieval import MISSING, Candidates
from patterns.search_ranking.entities.documents import ALL, Schema
from patterns.search_ranking.entities.queries import Queries
from patterns.search_ranking.stages.lists import RANKED, Lists

Story = tuple[tuple[str, ...], str]  # features that tell one story -> how it is told

_TITLE: tuple[Story, ...] = (
    (("title_exact",), "the title is the query"),
    (
        ("title_run", "title_prefix", "title_coverage", "query_in_title", "bm25_title"),
        "{title_coverage:.0%} of the title was typed",
    ),
    (("trigrams_of_title", "trigrams_of_query"), "spelt {trigrams_of_title:.0%} like the title"),
    (("cosine",), "close in meaning (cosine {cosine:.2f})"),
)
_WHOLE = "its text has {coverage_all:.0%} of the query"
_FILMS: tuple[Story, ...] = (
    (("bm25_people", "coverage_people"), "cast or director match"),
    (("bm25_characters", "coverage_characters"), "a character matches"),
    (("bm25_tags",), "tags match"),
    (("bm25_genres",), "genre matches"),
    (("year_gap",), "year matches"),
    (("number_match",), "number of the sequel matches"),
    (("votes", "popularity", "budget"), "well known"),
    (("rating",), "well rated"),
    (("year",), "year of release"),
)
_OF_FILMS = ("votes", "rating", "year")  # stories of the document alone, whatever was asked
# the least value at which a story is worth telling; any other feature must be above 0
_AT_LEAST = {
    "title_run": ("title_coverage", 0.3),
    "trigrams_of_title": ("trigrams_of_title", 0.5),
    "cosine": ("cosine", 0.3),
    "coverage_all": ("coverage_all", 0.3),
}


class Reasons:
    """Tells why the results of a page are there, in the words of its documents' schema."""

    def __init__(self, *, lists: Lists, schema: Schema, explained: int = 10) -> None:
        self.lists, self.stories, self.explained = lists, stories_of(schema), explained

    def tell(self, queries: Queries, page: Candidates) -> list[list[list[str]]]:
        """Give the reasons of the first `explained` documents of each query's page."""
        told = []
        for row, items in enumerate(page.item_ids):
            shown = items[items != MISSING][: self.explained]
            told.append(self._tell(queries.part(slice(row, row + 1)), shown))
        return told

    def _tell(self, query: Queries, rows: np.ndarray) -> list[list[str]]:
        """Give the reasons of documents (K,) of one query."""
        lists, features = self.lists, self.lists.features
        values = features.transform(query.texts, query.vectors, rows[None])[0]  # (K, F)
        account = lists.ranker.contributions(values) if lists.served_ == RANKED else None
        return reasons(values, account, features.names, self.stories)


def stories_of(schema: Schema) -> tuple[Story, ...]:
    """Return the stories that features of these documents can tell."""
    if schema.films:
        whole = ("coverage_all", "bm25_all", "bm25_overview")
        return (*_TITLE, (whole, _WHOLE), *_FILMS)
    own = [name for name in schema.indexed if name not in ("title", "text", ALL)]
    fields = [((f"bm25_{name}",), f"its {_plain(name)} matches") for name in own]
    numbers = [((f"value_{name}",), f"{_plain(name)} {{value:g}}") for name in schema.numbers]
    whole = ("coverage_all", "bm25_all", "bm25_text")
    return (*_TITLE, (whole, _WHOLE), *fields, *numbers)


def reasons(
    features: np.ndarray,
    account: np.ndarray | None,
    names: Sequence[str],
    stories: Sequence[Story],
    *,
    most: int = 3,
) -> list[list[str]]:
    """Return the strongest stories of each document: features and contributions (K, F).

    Without contributions the first true matches of query and document are told.
    """
    told = []
    for row, values in enumerate(features.tolist()):
        known = dict(zip(names, values, strict=True))
        if account is None:
            told.append(_matches(known, stories)[:most])
        else:
            gains = dict(zip(names, account[row].tolist(), strict=True))
            told.append(_strongest(known, gains, stories)[:most])
    return told


def _matches(values: Mapping[str, float], stories: Sequence[Story]) -> list[str]:
    """Tell what of query and document agrees, in the order of the stories."""
    matches = [story for story in stories if not _of_document(story[0][0])]
    return [_told(story, values) for story in matches if _true(story[0], values)]


def _strongest(
    values: Mapping[str, float], gains: Mapping[str, float], stories: Sequence[Story]
) -> list[str]:
    """Tell what raised the score, the most first."""
    told = []
    for story in stories:
        gain = sum(gains[name] for name in story[0])
        if gain > 0.02 and _true(story[0], values):
            told.append((gain, _told(story, values)))
    told.sort(key=lambda each: -each[0])
    return [words for _, words in told]


def _of_document(name: str) -> bool:
    return name in _OF_FILMS or name.startswith("value_")


def _told(story: Story, values: Mapping[str, float]) -> str:
    return story[1].format_map({**values, "value": values[story[0][0]]})


def _plain(name: str) -> str:
    """Return the name of a field fit for a format text."""
    return name.replace("{", "(").replace("}", ")")


def _true(group: tuple[str, ...], values: Mapping[str, float]) -> bool:
    """Tell whether the story of a group holds for this document, whatever the trees made of it."""
    first = group[0]
    if first == "year_gap":
        return values[first] == 0
    if first == "number_match":
        return values[first] == 1
    if first.startswith("value_"):
        return not math.isnan(values[first])
    name, least = _AT_LEAST.get(first, (first, 1e-6))
    return values[name] >= least
