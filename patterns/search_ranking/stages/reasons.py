"""Why a result is where it is, in words a user of the search page understands.

The ranker's own account is the SHAP contribution of each feature to the score. The features that
raised this document most are put into words with their values; those whose words would be false
(a "title match" of nothing) are passed over. So a reason is never invented beside the model.
"""

from __future__ import annotations

import numpy as np

from patterns.search_ranking.stages.features import NAMES

# group of features that tell one story -> how it is told
_STORIES: tuple[tuple[tuple[str, ...], str], ...] = (
    (("title_exact",), "the title is the query"),
    (
        ("title_run", "title_prefix", "title_coverage", "query_in_title", "bm25_title"),
        "{title_coverage:.0%} of the title was typed",
    ),
    (("trigrams_of_title", "trigrams_of_query"), "spelt {trigrams_of_title:.0%} like the title"),
    (("cosine",), "close in meaning (cosine {cosine:.2f})"),
    (
        ("coverage_text", "bm25_text", "bm25_overview"),
        "its text has {coverage_text:.0%} of the query",
    ),
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
# the least value at which a story is worth telling; any other feature must be above 0
_AT_LEAST = {
    "title_run": ("title_coverage", 0.3),
    "trigrams_of_title": ("trigrams_of_title", 0.5),
    "cosine": ("cosine", 0.3),
    "coverage_text": ("coverage_text", 0.3),
}


def reasons(features: np.ndarray, contributions: np.ndarray, *, most: int = 3) -> list[str]:
    """Return the strongest stories of one document: features and contributions (F,)."""
    values = dict(zip(NAMES, features.tolist(), strict=True))
    gains = dict(zip(NAMES, contributions.tolist(), strict=True))
    told = []
    for group, words in _STORIES:
        gain = sum(gains[name] for name in group)
        if gain > 0.02 and _true(group, values):
            told.append((gain, words.format(**values)))
    told.sort(key=lambda story: -story[0])
    return [words for _, words in told[:most]]


def _true(group: tuple[str, ...], values: dict[str, float]) -> bool:
    """Tell whether the story of a group holds for this document, whatever the trees made of it."""
    first = group[0]
    if first == "year_gap":
        return values[first] == 0
    if first == "number_match":
        return values[first] == 1
    name, least = _AT_LEAST.get(first, (first, 1e-6))
    return values[name] >= least
