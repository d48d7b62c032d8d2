r"""Artifact -> HTTP: a text in, its likeliest labels out, with calibrated probabilities.

    python -m patterns.nlp.classification.serve --run latest
    curl -s 127.0.0.1:8000/predict -H 'content-type: application/json' \
      -d '{"text": "my card has not arrived", "k": 3}'

The page at / has a form for trying it. An exported model is served without torch.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, Field

from common.artifacts import Run
from common.serving import (
    RequestError,
    Service,
    ServiceRequest,
    ServiceResponse,
    serve_main,
)
from common.timing import StageTimes
from patterns.nlp.classification.config import NAME


class ClassificationRequest(ServiceRequest):
    """One text."""

    text: str = Field(min_length=1, max_length=10_000, description="the text to classify")
    k: int = Field(
        default=3, ge=1, le=1000, strict=True, description="how many labels to answer with"
    )


class Guess(BaseModel):
    """A label and how likely it is."""

    label: str
    probability: float = Field(ge=0, le=1)


class ClassificationResponse(ServiceResponse):
    """The likeliest label, and the k likeliest, best first; probabilities are calibrated."""

    label: str
    probability: float = Field(ge=0, le=1)
    labels: list[Guess]


class ClassificationService(Service):
    """Tells which of the known labels a text has, and how sure that is."""

    name = NAME
    Request = ClassificationRequest
    Response = ClassificationResponse

    def __init__(self, run: Run) -> None:
        from patterns.nlp.classification.pipeline import Pipeline

        self.version = run.version
        self.pipeline = Pipeline.load(run.pipeline)
        self.example = {
            "text": "I am still waiting for my new card, when will it arrive?",
            "k": self.pipeline.k,
        }

    def predict(self, requests: Sequence[ClassificationRequest]) -> list[ClassificationResponse]:
        """Classify the batch at once, and cut each answer to its `k`."""
        for row, request in enumerate(requests):
            if not request.text.strip():
                raise RequestError(
                    "text", request.text, "it is only white space", "give a text to classify",
                    row=row,
                )  # fmt: skip
        times = StageTimes()
        with times("classify"):
            answers = self.pipeline.classify(
                [request.text for request in requests], k=max(request.k for request in requests)
            )
        responses = []
        for request, answer in zip(requests, answers, strict=True):
            guesses = [
                Guess(label=label, probability=min(1.0, share))
                for label, share in zip(answer.labels, answer.probabilities, strict=True)
            ][: request.k]
            responses.append(
                ClassificationResponse(
                    model_version=self.version,
                    stage_ms=times.milliseconds,
                    label=guesses[0].label,
                    probability=guesses[0].probability,
                    labels=guesses,
                )
            )
        return responses


if __name__ == "__main__":
    serve_main(ClassificationService, NAME, description=__doc__)
