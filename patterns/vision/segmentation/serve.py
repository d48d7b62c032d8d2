"""Artifact -> HTTP: a trained segmenter, served from its artifact alone.

`python -m patterns.vision.segmentation.serve` opens the latest run; POST to /predict
`{"image": "<base64 of a PNG or JPEG>"}`, or open the page at / and pick a file. The answer's mask
is a PNG in base64. Of objects it is 16-bit grey: 0 is background, 1..count number the objects. Of
classes its pixels are the values of the classes, with a palette that gives each a colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

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
from patterns.vision.segmentation.config import NAME

LARGEST_PIXELS = 4_000_000


class SegmentationRequest(ServiceRequest):
    """One image."""

    image: ImageBase64


class ClassFound(BaseModel):
    """A class that occurs in the image."""

    name: str
    value: Annotated[int, shown("mask-value")] = Field(description="of its pixels in the mask")
    share: Share = Field(description="share of the image's pixels")


class SegmentationResponse(ServiceResponse):
    """The objects found in it, or the class of each pixel; the other task's fields are null."""

    count: Annotated[int | None, shown("verdict")] = Field(ge=0, description="number of objects")
    coverage: Share | None = Field(description="share of the pixels in an object")
    classes: list[ClassFound] | None = Field(description="classes that occur, the largest first")
    height: int
    width: int
    mask: Annotated[str, shown("mask")] = Field(
        description="PNG in base64: 16-bit, 0 background and 1..count the objects; or 8-bit with"
        " a palette, the value of each pixel's class"
    )


class SegmentationService(Service):
    """Marks and counts the objects of an image, or names the class of each of its pixels."""

    name = NAME
    Request = SegmentationRequest
    Response = SegmentationResponse
    max_batch = 16

    def __init__(self, run: Run) -> None:
        from patterns.vision.images import encode_png
        from patterns.vision.segmentation.pipeline import Pipeline

        self.version = run.version
        self.pipeline = Pipeline.load(run.pipeline)
        self.example = {"image": encode_png(self.pipeline.example)}

    def predict(self, requests: Sequence[SegmentationRequest]) -> list[SegmentationResponse]:
        """Decode each image, segment it, and encode its label map."""
        from patterns.vision.images import decode_image, encode_png

        times = StageTimes()
        with times("decode"):
            images = [
                decode_image(request.image, row=row, largest=LARGEST_PIXELS)
                for row, request in enumerate(requests)
            ]
        with times("segment"):
            answers = self.pipeline.segment(images)
        with times("encode"):
            masks = [
                encode_png(answer.mask, palette=answer.classes is not None) for answer in answers
            ]
        return [
            SegmentationResponse(
                model_version=self.version,
                stage_ms=times.milliseconds,
                count=answer.count,
                coverage=answer.coverage,
                classes=None
                if answer.classes is None
                else [ClassFound(**vars(each)) for each in answer.classes],
                height=answer.mask.shape[0],
                width=answer.mask.shape[1],
                mask=mask,
            )
            for answer, mask in zip(answers, masks, strict=True)
        ]


if __name__ == "__main__":
    serve_main(SegmentationService, NAME, description="Serve a segmenter over HTTP.")
