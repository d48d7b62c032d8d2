"""Artifact -> HTTP: pages of recommendations for known users, new users and fresh events.

    python -m patterns.recsys.serve --run latest
    curl -s 127.0.0.1:8000/predict -H 'content-type: application/json' -d '{"user_id": "42"}'

A user the artifact knows is served from the remembered history. Events since then come along in
`recent`, oldest first, and count at once: the sources fold them in. A user it does not know is
served from `recent` alone, or, with nothing to go by, from popularity; `known_user` says which.
"""

from __future__ import annotations

import time
from typing import Any

from pydantic import BaseModel, Field

from common.artifacts import Run
from common.serving import RequestError, Service, ServiceRequest, ServiceResponse, serve_main

NAME = "recsys"


class RecommendRequest(ServiceRequest):
    """Who asks, and what they took since the model was trained."""

    user_id: str | None = Field(None, max_length=200, description="id as in the training data")
    recent: list[str] = Field(
        default_factory=list, max_length=1000, description="item ids taken since, oldest first"
    )
    k: int = Field(10, ge=1, le=1000, strict=True, description="length of the page")


class Recommended(BaseModel):
    """One item of the page."""

    item_id: str
    title: str
    score: float
    sources: list[str] = Field(description="the candidate sources that proposed it")


class RecommendResponse(ServiceResponse):
    """A page, best first; shorter than `k` where nothing is left to recommend."""

    known_user: bool
    items: list[Recommended]


class RecommendService(Service):
    """Recommends films to a user, known or new, from what they took before and since."""

    name = NAME
    Request = RecommendRequest
    Response = RecommendResponse

    def __init__(self, run: Run) -> None:
        from patterns.recsys.pipeline import Pipeline

        self.version = run.version
        self.pipeline = Pipeline.load(run.pipeline)
        catalogue = self.pipeline.catalogue
        self.users = {name: row for row, name in enumerate(catalogue.user_ids.tolist())}
        self.items = {name: row for row, name in enumerate(catalogue.item_ids.tolist())}
        self.example = {"user_id": str(catalogue.user_ids[0]), "k": 5}

    def predict(self, requests: list[Any]) -> list[Any]:
        """Recommend for the batch at once and cut each page to its `k`."""
        import numpy as np

        users = np.array([self.users.get(request.user_id, -1) for request in requests])
        recent = [self._rows(request.recent, row) for row, request in enumerate(requests)]
        longest = max(request.k for request in requests)
        asked = self.pipeline.requests_for(users, recent, now=int(time.time()))
        pages = self.pipeline.recommend(asked, longest)
        times = {stage: 1000 * seconds for stage, seconds in pages.seconds.items()}
        return [
            RecommendResponse(
                model_version=self.version,
                stage_ms=times,
                known_user=bool(users[row] >= 0),
                items=self._page(pages, row)[: request.k],
            )
            for row, request in enumerate(requests)
        ]

    def _rows(self, item_ids: list[str], row: int) -> list[int]:
        for item in item_ids:
            if item not in self.items:
                raise RequestError(
                    "recent", item, "no such item", "leave out items the model never saw", row=row
                )
        return [self.items[item] for item in item_ids]

    def _page(self, pages: Any, row: int) -> list[Recommended]:
        catalogue = self.pipeline.catalogue
        items, scores = pages.items.item_ids[row], pages.items.scores[row]
        known = items >= 0
        return [
            Recommended(
                item_id=catalogue.item_ids[item],
                title=catalogue.titles[item],
                score=float(score),
                sources=sources,
            )
            for item, score, sources in zip(
                items[known], scores[known], pages.sources[row], strict=True
            )
        ]


if __name__ == "__main__":
    serve_main(RecommendService, NAME, description="Serve recommendations over HTTP.")
