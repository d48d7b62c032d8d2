"""Artifact -> HTTP: pages of recommendations for known users, new users and fresh events.

    python -m patterns.recsys.serve --run latest
    curl -s 127.0.0.1:8000/predict -H 'content-type: application/json' -d '{"user_id": "42"}'

A user the artifact knows is served from the history it holds. Events since then come along in
`recent`, oldest first, and count at once: the sources fold them in. A user it does not know is
served from `recent`, from what they told of themselves, and from the answers to the survey, whose
next question comes with the page; with nothing to go by, from popularity. `known_user` says which.

Where the nightly job has made pages, those who have done nothing since get theirs by look-up.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Annotated, Any, Literal

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
from common.timing import StageTimes
from patterns.recsys.config import NAME
from patterns.recsys.entities.catalogue import DEVICE

ANSWERS = {"liked": 1, "disliked": -1, "unknown": 0}


class RecommendRequest(ServiceRequest):
    """Who asks, and what they interacted with since the model was trained."""

    user_id: str | None = Field(
        default=None, max_length=200, description="id as in the training data"
    )
    recent: list[str] = Field(
        default_factory=list, max_length=1000, description="item ids chosen since, oldest first"
    )
    k: int = Field(default=10, ge=1, le=1000, strict=True, description="length of the page")
    device: str | None = Field(default=None, max_length=100, description="what the page is for")
    context: dict[str, str] = Field(
        default_factory=dict,
        max_length=100,
        description="values of the context columns that the model was trained with, by their names",
    )
    age: int | None = Field(default=None, ge=0, le=150, description="of a new user, in years")
    gender: str | None = Field(default=None, max_length=100, description="of a new user")
    occupation: str | None = Field(default=None, max_length=100, description="of a new user")
    survey: dict[str, Literal["liked", "disliked", "unknown"]] = Field(
        default_factory=dict, max_length=20, description="answers of a new user, by item id"
    )
    reasons: bool = Field(default=True, description="say why, which takes a little time")


class Recommended(BaseModel):
    """One item of the page."""

    item_id: str
    title: Annotated[str, shown("title")]
    year: Annotated[int | None, shown("facts")] = Field(description="null where unknown")
    genres: Annotated[list[str], shown("facts")]
    score: float
    sources: list[str] = Field(description="the candidate sources that proposed it")
    reason: Annotated[str, shown("why")] = Field(
        description="why it is here, in words; empty where not asked for"
    )
    propensity: float = Field(
        default=1.0, description="with which exploration showed it; 1 elsewhere"
    )


class Question(BaseModel):
    """The item to ask a new user about next."""

    item_id: str
    title: str


class RecommendResponse(ServiceResponse):
    """A page, best first; shorter than `k` where nothing is left to recommend."""

    known_user: bool
    precomputed: bool = Field(description="looked up among the pages made at night")
    items: Annotated[list[Recommended], shown("shelf")]
    ask: Question | None = Field(default=None, description="of a new user: what to ask next")


class RecommendService(Service):
    """Recommends items to a user, known or new, from what they chose before and since."""

    name = NAME
    Request = RecommendRequest
    Response = RecommendResponse

    def __init__(self, run: Run) -> None:
        from patterns.recsys.entities.pages import Pages
        from patterns.recsys.pipeline import Pipeline

        self.version = run.version
        self.pipeline = Pipeline.load(run.pipeline)
        catalogue = self.pipeline.catalogue
        self.pages = Pages.load(run.pipeline, catalogue)  # of the nightly job, if it made any
        self.users = {name: row for row, name in enumerate(catalogue.user_ids.tolist())}
        self.items = {name: row for row, name in enumerate(catalogue.item_ids.tolist())}
        self.example: dict[str, Any] = {"user_id": str(catalogue.user_ids[0]), "k": 6}
        context = {name: values[0] for name, values in catalogue.contexts.items() if values}
        if device := context.pop(DEVICE, None):
            self.example["device"] = device
        if context:
            self.example["context"] = context

    def predict(self, requests: Sequence[RecommendRequest]) -> list[RecommendResponse]:
        """Look up what was made at night, and compute the rest, pages of one length together.

        A longer page would be a different one: exploration takes the last places.
        """
        answers: list[Any] = [None] * len(requests)
        live: dict[int, list[tuple[int, RecommendRequest, list[int]]]] = {}
        for row, request in enumerate(requests):
            self._check_context(request, row)
            recent = self._rows(request, row)
            if self._made(request):
                answers[row] = self._looked_up(request)
            else:
                length = request.k + len(self._disliked(request))
                live.setdefault(length, []).append((row, request, recent))
        for length, group in live.items():
            computed = self._compute([each[1:] for each in group], length)
            for (row, _, _), answer in zip(group, computed, strict=True):
                answers[row] = answer
        return answers

    def _made(self, request: RecommendRequest) -> bool:
        """Return whether a page made at night is what is asked for."""
        pages = self.pages
        if pages is None or self.pipeline.exploration.slots:
            return False  # explored places are drawn anew, with their propensities
        fresh = request.recent or request.device or request.context or request.survey
        return self._row(request) >= 0 and not fresh and request.k <= pages.items.shape[1]

    def _row(self, request: RecommendRequest) -> int:
        """Return the row of a user who has a history, else -1: an id alone is nobody known."""
        from common.retrieval import MISSING

        row = self.users.get(request.user_id or "", MISSING)
        ends = self.pipeline.histories_.seen.indptr
        return row if row >= 0 and ends[row + 1] > ends[row] else MISSING

    def _looked_up(self, request: RecommendRequest) -> RecommendResponse:
        import numpy as np

        pages, user = self.pages, self.users[request.user_id or ""]
        assert pages is not None
        times, k = StageTimes(), request.k
        with times("look-up"):
            asked = self.pipeline.requests_for(np.array([user]), [[]]) if request.reasons else None
            items = self._page(
                asked,
                pages.items[user, :k],
                pages.scores[user, :k],
                pages.sources[user, :k],
                np.ones(k),
            )
        return RecommendResponse(
            model_version=self.version,
            stage_ms=times.milliseconds,
            known_user=True,
            precomputed=True,
            items=items,
            ask=None,
        )

    def _compute(
        self, asking: list[tuple[RecommendRequest, list[int]]], length: int
    ) -> list[RecommendResponse]:
        import numpy as np

        pipeline = self.pipeline
        requests = [request for request, _ in asking]
        users = np.array([self._row(request) for request in requests])
        asked = pipeline.requests_for(
            users,
            [recent for _, recent in asking],
            now=int(time.time()),
            segments=np.stack([self._segments(request) for request in requests]),
            contexts=np.stack([self._context(each) for each in requests]),
        )
        pages = pipeline.recommend(asked, length)
        responses = []
        for row, request in enumerate(requests):
            one = asked.part(slice(row, row + 1)) if request.reasons else None
            found = pages.items.item_ids, pages.items.scores, pages.found_by, pages.propensities
            liked = ~np.isin(pages.items.item_ids[row], self._disliked(request))
            known = bool(users[row] >= 0)
            responses.append(
                RecommendResponse(
                    model_version=self.version,
                    stage_ms=pages.milliseconds,
                    known_user=known,
                    precomputed=False,
                    items=self._page(one, *(array[row][liked][: request.k] for array in found)),
                    ask=None if known else self._question(request),
                )
            )
        return responses

    def _context(self, request: RecommendRequest) -> Any:
        """Return the codes (C,) of the device and the context columns; 0 is unknown."""
        known = dict(request.context)
        if request.device:
            known[DEVICE] = request.device
        return self.pipeline.catalogue.context_of(known)

    def _check_context(self, request: RecommendRequest, row: int) -> None:
        """Refuse a context that the model was not trained with; a new value is just not known."""
        known = self.pipeline.catalogue.contexts
        if name := next((name for name in request.context if name not in known), None):
            raise RequestError(
                f"context.{name}",
                request.context[name],
                "no context column of the training data",
                f"give one of {', '.join(known)}",
                row=row,
            )

    def _rows(self, request: RecommendRequest, row: int) -> list[int]:
        """Return the recent items, those liked in the survey first."""
        for field, items in (("recent", request.recent), ("survey", list(request.survey))):
            for item in items:
                if item not in self.items:
                    raise RequestError(
                        field, item, "no such item", "leave out items the model never saw", row=row
                    )
        liked = [item for item, answer in request.survey.items() if answer == "liked"]
        return [self.items[item] for item in [*liked, *request.recent]]

    def _disliked(self, request: RecommendRequest) -> list[int]:
        """Return the items that the survey says are not liked: no page holds them."""
        return [self.items[item] for item, answer in request.survey.items() if answer == "disliked"]

    def _segments(self, request: RecommendRequest) -> Any:
        """Return the attributes (S,) that were told, and for the others those on record."""
        import numpy as np

        catalogue = self.pipeline.catalogue
        told = catalogue.segment_of(_told(request))
        row = self.users.get(request.user_id or "")
        return told if row is None else np.where(told > 0, told, catalogue.segments[row])

    def _question(self, request: RecommendRequest) -> Question | None:
        """Return what the survey asks next; recent items need no asking."""
        given = {self.items[item]: ANSWERS["liked"] for item in request.recent}
        given |= {self.items[item]: ANSWERS[answer] for item, answer in request.survey.items()}
        item = self.pipeline.survey.ask(given)
        if item is None:
            return None
        catalogue = self.pipeline.catalogue
        return Question(item_id=catalogue.item_ids[item], title=catalogue.titles[item])

    def _page(
        self, request: Any, items: Any, scores: Any, found_by: Any, propensities: Any
    ) -> list[Recommended]:
        catalogue, sources, page = self.pipeline.catalogue, self.pipeline.sources, []
        for place, item in enumerate(items.tolist()):
            if item < 0:
                break
            names = sources.found_by(int(found_by[place]))
            titles = catalogue.titles
            reason = sources.reason(request, item, titles, names) if request else ""
            page.append(
                Recommended(
                    item_id=catalogue.item_ids[item],
                    title=catalogue.titles[item],
                    year=catalogue.year_of(item),
                    genres=catalogue.genres_of(item),
                    score=float(scores[place]),
                    sources=names,
                    reason=reason,
                    propensity=float(propensities[place]),
                )
            )
        return page


def _told(request: RecommendRequest) -> dict[str, Any]:
    """Return what a user told of themselves."""
    told = {"age": request.age, "gender": request.gender, "occupation": request.occupation}
    return {name: value for name, value in told.items() if value is not None}


if __name__ == "__main__":
    serve_main(RecommendService, NAME, description="Serve a trained recommender over HTTP.")
