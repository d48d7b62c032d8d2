"""Artifact -> HTTP: a trained detector, served from its artifact alone.

`python -m patterns.vision.detection.serve` opens the latest run; POST to /predict
`{"image": "<base64 of a PNG or JPEG>"}`, or open the page at / and pick a file. The answer's boxes
are in pixels of the image sent, x to the right and y down from its upper left corner.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, Field

from common.artifacts import Run
from common.serving import (
    ImageBase64,
    Service,
    ServiceRequest,
    ServiceResponse,
    Share,
    serve_main,
    shown,
)
from common.timing import StageTimes
from patterns.vision.detection.config import NAME

if TYPE_CHECKING:
    import numpy as np

    from patterns.vision.detection.stages.postprocess import Detections


class DetectionRequest(ServiceRequest):
    """One image."""

    image: ImageBase64
    confidence: float | None = Field(
        default=None, ge=0.01, le=1,
        description="smallest score of a detection; without it, the model's own per class",
    )  # fmt: skip
    k: int = Field(default=100, ge=1, le=100, strict=True, description="largest number of boxes")


class Found(BaseModel):
    """One object."""

    label: str
    score: Share
    box: Annotated[tuple[float, float, float, float], shown("box")] = Field(
        description="x0, y0, x1, y1 in pixels"
    )


class DetectionResponse(ServiceResponse):
    """The objects found, best first, and how many of each label there are likely to be."""

    width: int
    height: int
    objects: list[Found]
    counts: dict[str, int] = Field(
        description="as validation shows it to be least wrong: not always the number of `objects`"
    )


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
        self.example = {"image": encode_png(self.pipeline.example)}

    def predict(self, requests: Sequence[DetectionRequest]) -> list[DetectionResponse]:
        """Decode, detect, and cut each answer to its `confidence` and `k`."""
        from patterns.vision.images import decode_image

        times = StageTimes()
        with times("decode"):
            images = [decode_image(each.image, row=row) for row, each in enumerate(requests)]
        with times("detect"):
            answers = [
                self.pipeline.detect_and_count([image], confidence=request.confidence)[0]
                for image, request in zip(images, requests, strict=True)
            ]
        sizes = [image.shape[:2] for image in images]
        return [
            self._response(request, size, *answer, times)
            for request, size, answer in zip(requests, sizes, answers, strict=True)
        ]

    def _response(
        self,
        request: DetectionRequest,
        size: tuple[int, ...],
        answer: Detections,
        counts: np.ndarray,
        times: StageTimes,
    ) -> DetectionResponse:
        names = [self.pipeline.label_names[label] for label in answer.labels[: request.k]]
        found = zip(names, answer.scores.tolist(), answer.boxes.tolist(), strict=False)
        return DetectionResponse(
            model_version=self.version,
            stage_ms=times.milliseconds,
            height=size[0],
            width=size[1],
            objects=[Found(label=name, score=score, box=tuple(box)) for name, score, box in found],
            counts=dict(zip(self.pipeline.label_names, counts.tolist(), strict=True)),
        )


if __name__ == "__main__":
    serve_main(DetectionService, NAME, description="Serve an object detector over HTTP.")
