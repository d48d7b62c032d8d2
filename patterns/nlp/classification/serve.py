"""Serve a trained text classifier over HTTP, from its artifact alone.

`python -m patterns.nlp.classification.serve` opens the latest run; POST to /predict
`{"text": "my card has not arrived", "k": 3}`, or open the page at / and type.
"""

from __future__ import annotations

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

NAME = "nlp/classification"


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
            "k": self.pipeline.config.k,
        }

    def predict(self, requests: list[ClassificationRequest]) -> list[ClassificationResponse]:
        """Classify the batch at once, and cut each answer to its `k`."""
        for row, request in enumerate(requests):
            if not request.text.strip():
                raise RequestError(
                    "text", request.text, "it is only white space", "give a text to classify",
                    row=row if len(requests) > 1 else None,
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
    serve_main(ClassificationService, NAME, description="Serve a text classifier over HTTP.")
