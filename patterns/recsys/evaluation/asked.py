"""The test window, asked once: one request per user, and what every stage answers.

A request stands in the middle of what the user does in the window: the first half is known, the
second is the answer, so users count equally and are independent for the bootstrap. All questions of
the report are put to these same lists.

Shapes: `B` requests, `N` items, `K` candidates, `F` features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from common.retrieval import Candidates, Fused, ordered
from patterns.recsys.data import Splits
from patterns.recsys.entities.requests import Requests, requests_within
from patterns.recsys.pipeline import Pipeline
from patterns.recsys.stages.serving import MERGED, RANKED

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

DEEP = 500
RERANKED = "+ re-ranking"
MOST_ASKED = 5_000  # test users; more are sampled down to this many


@dataclass(frozen=True)
class Asked:
    """The requests of the test window with what each stage gave them."""

    requests: Requests
    answers: csr_matrix  # (B, N) 0 or 1
    own: list[Candidates]  # of each source, as many as it gives to the merge
    merged: Fused
    features: np.ndarray  # (B, K, F) of the merged candidates
    lists: dict[str, Candidates]
    """The deep list of each source and the list after each stage, the baseline first."""
    served: Candidates
    """The list that is re-ranked and served."""


def ask(pipeline: Pipeline, splits: Splits) -> Asked:
    """Run every stage on the test window."""
    past = splits.train.joined(splits.valid)
    requests, answers, _ = requests_within(
        past, splits.test, splits.catalogue, moments=(0.5,), most=MOST_ASKED, seed=pipeline.seed
    )
    sources = pipeline.sources
    own = sources.lists(requests)
    merged = sources.merged(own)
    features = pipeline.describe(requests, merged)
    item_ids = merged.candidates.item_ids
    lists = dict(zip(sources.names, sources.lists(requests, DEEP), strict=True))
    lists[MERGED] = merged.candidates
    lists[RANKED] = ordered(item_ids, pipeline.ranking.score(features, item_ids))
    served = lists.get(pipeline.serving.served_, merged.candidates)
    if pipeline.serving.first is not None:  # its list, filled up by the others where it is short
        served = sources.merged(own, first=pipeline.serving.first).candidates
    lists[RERANKED] = pipeline.rerank(served, DEEP, requests)
    return Asked(requests, answers, own, merged, features, lists, served)
