"""A page as a user gets it: titles and reasons, beside what that user chose before and next."""

from __future__ import annotations

import numpy as np

from common.evaluation.examples import Example, Item, middle
from patterns.recsys.evaluation.asked import Asked
from patterns.recsys.evaluation.scorer import PAGE
from patterns.recsys.pipeline import Pipeline

LATEST = 5  # items of the history that are told


def examples(pipeline: Pipeline, asked: Asked, ndcg: np.ndarray) -> list[Example]:
    """Return the page in the middle by NDCG (B,), of users with a history and an answer on it."""
    lengths = np.diff(asked.requests.seen.indptr)
    fit = np.flatnonzero((lengths > 0) & (ndcg > 0))
    if not len(fit):
        return []
    row = int(fit[middle(ndcg[fit])])
    request = asked.requests.part(slice(row, row + 1))
    page = pipeline.recommend(request, PAGE)
    titles, sources = pipeline.catalogue.titles, pipeline.sources
    chosen = set(asked.answers[row].indices.tolist())
    items = []
    for place, item in enumerate(page.items.item_ids[0].tolist()):
        if item < 0:
            break
        names = sources.found_by(int(page.found_by[0, place]))
        facts = {"found by": ", ".join(names), "chosen next": "yes" if item in chosen else ""}
        items.append(Item(str(titles[item]), sources.reason(request, item, titles, names), facts))
    recent = [str(titles[item]) for item in request.recent[0][:LATEST] if item >= 0]
    caption = (
        f"Of the test users whose page holds something that they chose next, the one in the middle."
        f" Their history has {lengths[row]:,} items, the latest: {', '.join(recent)}."
    )
    return [Example("a page of recommendations", caption, tuple(items))]
