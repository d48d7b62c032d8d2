"""Why an item is on the page, in words: what the user took that speaks for it, or what else does.

    because you took …   items of the history with the largest weight in EASE, else item-kNN
    much like …          no such weight, but content near to a recent item
    popular lately       neither: popularity proposed it, overall or among people alike

The reason is what the sources say. The ranker may have had more on its mind; its own view is in the
report, as the gain of its features.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from common.retrieval import MISSING
from patterns.recsys.entities.requests import Requests

if TYPE_CHECKING:
    from patterns.recsys.pipeline import Pipeline

SHOWN = 2  # items named in a reason
LIKE = 0.3  # least cosine of content that counts as likeness


def reason(pipeline: Pipeline, request: Requests, item: int, sources: list[str]) -> str:
    """Return the reason for `item`, proposed by `sources`, to the one user of `request`."""
    seen = request.seen.indices
    titles = pipeline.catalogue.titles
    for name in ("ease", "item-knn"):
        taken, _ = pipeline.sources[name].because(seen, item)
        if len(taken):
            return "because you took " + " and ".join(titles[row] for row in taken[:SHOWN])
    recent = request.recent[0][request.recent[0] != MISSING]
    vectors = pipeline.sources["content"].items_.vectors
    if len(recent):
        cosines = vectors[recent] @ vectors[item]
        nearest = int(np.argmax(cosines))
        if cosines[nearest] >= LIKE:
            return f"much like {titles[recent[nearest]]}, which you took"
    if "segment-popularity" in sources and request.segments.any():
        return "popular lately with people like you"
    return "popular lately"


def similar(pipeline: Pipeline, item: int, k: int, by: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the `k` items most like `item` and their likeness, by one source `by`.

    The vectors of als, two-tower and content are compared by cosine; ease and item-knn give their
    weights.
    """
    source = pipeline.sources[by]
    if hasattr(source, "similar"):
        found = source.similar(item, k)
        items, scores = found.item_ids[0], found.scores[0]
    else:
        unit = source.items_.unit
        scores = unit @ unit[item]
        scores[item] = -np.inf
        items = np.argsort(-scores, kind="stable")[:k]
        scores = scores[items]
    kept = (items != MISSING) & np.isfinite(scores)
    return items[kept], scores[kept]
