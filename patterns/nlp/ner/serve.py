r"""Artifact -> HTTP: a text in, its named entities out, with their places and confidence.

    python -m patterns.nlp.ner.serve --run latest
    curl -s 127.0.0.1:8000/predict -H 'content-type: application/json' \
      -d '{"text": "Ada Lovelace met Babbage in London"}'

The page at / highlights them in the text. An exported model is served without torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, Field

from common.artifacts import Run
from common.serving import RequestError, Service, serve_main, shown
from common.serving.formats import Share, Truncated
from common.serving.service import ServiceRequest, ServiceResponse
from common.timing import StageTimes
from patterns.nlp.ner.config import NAME

LONGEST = 50_000  # characters of a text


class EntitiesRequest(ServiceRequest):
    """One text."""

    text: str = Field(min_length=1, max_length=LONGEST, description="the text to find names in")
    least_confidence: float = Field(
        default=0.0, ge=0, le=1, description="entities less sure than this are left out"
    )


class EntitySpan(BaseModel):
    """An entity; `start` and `end` count Unicode code points of the text as it was sent."""

    start: int = Field(ge=0)
    end: int = Field(ge=1, description="the place after the last character")
    label: str
    text: str
    confidence: Share


class EntitiesResponse(ServiceResponse):
    """The entities of the text in their order; none overlaps another."""

    spans: Annotated[list[EntitySpan], shown("spans")]
    truncated: Truncated = False


class EntitiesService(Service):
    """Finds names in a text and tells what each is a name of, and how sure that is."""

    name = NAME
    Request = EntitiesRequest
    Response = EntitiesResponse

    def __init__(self, run: Run) -> None:
        from patterns.nlp.ner.pipeline import Pipeline

        self.version = run.version
        self.pipeline = Pipeline.load(run.pipeline)
        self.example = {"text": self.pipeline.example_[:LONGEST]}

    def predict(self, requests: Sequence[EntitiesRequest]) -> list[EntitiesResponse]:
        """Tag the batch at once; a text of white space alone is refused."""
        for row, request in enumerate(requests):
            if not request.text.strip():
                raise RequestError(
                    "text", request.text, "it is only white space", "give a text with words",
                    row=row,
                )  # fmt: skip
        texts = [request.text for request in requests]
        times = StageTimes()
        with times("find"):
            answers = self.pipeline.find(texts)
        return [
            EntitiesResponse(
                model_version=self.version,
                stage_ms=times.milliseconds,
                spans=[
                    EntitySpan(**vars(entity))
                    for entity in found
                    if entity.confidence >= request.least_confidence
                ],
                truncated=truncated,
            )
            for request, found, truncated in zip(
                requests, answers, self.pipeline.truncates(texts), strict=True
            )
        ]


if __name__ == "__main__":
    serve_main(EntitiesService, NAME, description=__doc__)
