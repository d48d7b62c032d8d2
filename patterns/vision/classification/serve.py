"""Artifact -> HTTP: an image in, its likeliest labels out, with calibrated probabilities.

`python -m patterns.vision.classification.serve` opens the latest run; POST to /predict
`{"image": "<base64 of a PNG or JPEG>", "k": 3}`, or open the page at / and pick a file.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, Field

from common.artifacts import Run
from common.serving import (
    ImageBase64,
    Service,
    ServiceRequest,
    ServiceResponse,
    serve_main,
)
from common.timing import StageTimes
from patterns.vision.classification.config import NAME


class ClassificationRequest(ServiceRequest):
    """One image."""

    image: ImageBase64
    k: int = Field(
        default=3, ge=1, le=1000, strict=True, description="how many labels to answer with"
    )


class Guess(BaseModel):
    """A label and how likely it is."""

    label: str
    probability: float = Field(ge=0, le=1)


class ClassificationResponse(ServiceResponse):
    """The likeliest labels, best first; their probabilities are calibrated."""

    labels: list[Guess]


class ClassificationService(Service):
    """Tells which of the known classes an image shows, and how sure that is."""

    name = NAME
    Request = ClassificationRequest
    Response = ClassificationResponse

    def __init__(self, run: Run) -> None:
        from patterns.vision.classification.pipeline import Pipeline
        from patterns.vision.images import encode_png

        self.version = run.version
        self.pipeline = Pipeline.load(run.pipeline)
        self.example = {"image": encode_png(self.pipeline.example), "k": self.pipeline.k}

    def predict(self, requests: Sequence[ClassificationRequest]) -> list[ClassificationResponse]:
        """Decode, classify the batch at once, and cut each answer to its `k`."""
        from patterns.vision.images import decode_image

        times = StageTimes()
        with times("decode"):
            images = [decode_image(request.image, row=row) for row, request in enumerate(requests)]
        with times("classify"):
            answers = self.pipeline.classify(images, k=max(request.k for request in requests))
        return [
            ClassificationResponse(
                model_version=self.version,
                stage_ms=times.milliseconds,
                labels=[
                    Guess(label=label, probability=min(1.0, share))
                    for label, share in zip(answer.labels, answer.probabilities, strict=True)
                ][: request.k],
            )
            for request, answer in zip(requests, answers, strict=True)
        ]


if __name__ == "__main__":
    serve_main(ClassificationService, NAME, description=__doc__)
