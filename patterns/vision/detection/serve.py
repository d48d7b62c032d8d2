"""Serve a trained detector over HTTP, from its artifact alone.

`python -m patterns.vision.detection.serve` opens the latest run; POST to /predict
`{"image": "<base64 of a PNG or JPEG>"}`, or open the page at / and pick a file. The answer's boxes
are in pixels of the picture sent, x to the right and y down from its upper left corner.
"""

from __future__ import annotations

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

NAME = "vision/detection"


class DetectionRequest(ServiceRequest):
    """One picture."""

    image: ImageBase64
    confidence: float | None = Field(
        default=None, ge=0.01, le=1,
        description="least score of an answer; without it, each class has the model's own",
    )  # fmt: skip
    k: int = Field(default=100, ge=1, le=100, strict=True, description="at most so many boxes")


class Found(BaseModel):
    """One object."""

    label: str
    score: float = Field(ge=0, le=1)
    box: tuple[float, float, float, float] = Field(description="x0, y0, x1, y1 in pixels")


class DetectionResponse(ServiceResponse):
    """The objects found, best first, and how many of each label."""

    width: int
    height: int
    objects: list[Found]
    counts: dict[str, int]


class DetectionService(Service):
    """Finds the objects in an image: a box, a label and a score for each."""

    name = NAME
    Request = DetectionRequest
    Response = DetectionResponse

    def __init__(self, run: Run) -> None:
        from patterns.vision.detection.pipeline import Pipeline
        from patterns.vision.images import encode_png

        self.version = run.version
        self.pipeline = Pipeline.load(run.pipeline)
        assert self.pipeline.example is not None
        self.example = {"image": encode_png(self.pipeline.example)}

    def predict(self, requests: list[DetectionRequest]) -> list[DetectionResponse]:
        """Decode, detect, and cut each answer to its `confidence` and `k`."""
        from patterns.vision.images import decode_image

        times = StageTimes()
        with times("decode"):
            images = [
                decode_image(request.image, row=row if len(requests) > 1 else None)
                for row, request in enumerate(requests)
            ]
        with times("detect"):
            answers = [
                self.pipeline.detect([image], confidence=request.confidence)[0]
                for image, request in zip(images, requests, strict=True)
            ]
        responses = []
        for request, image, answer in zip(requests, images, answers, strict=True):
            names = [self.pipeline.label_names[label] for label in answer.labels[: request.k]]
            responses.append(
                DetectionResponse(
                    model_version=self.version,
                    stage_ms=times.milliseconds,
                    width=image.shape[1],
                    height=image.shape[0],
                    objects=[
                        Found(label=name, score=score, box=tuple(box))
                        for name, score, box in zip(
                            names, answer.scores.tolist(), answer.boxes.tolist(), strict=False
                        )
                    ],
                    counts={name: names.count(name) for name in self.pipeline.label_names},
                )
            )
        return responses


if __name__ == "__main__":
    serve_main(DetectionService, NAME, description="Serve an object detector over HTTP.")
