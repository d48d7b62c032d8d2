"""Artifact -> HTTP: an image in, its likeliest labels out, with calibrated probabilities.

`python -m patterns.vision.classification.serve` opens the latest run; POST to /predict
`{"image": "<base64 of an image file>", "k": 3}`, or open the page at / and pick a file.
"""

from __future__ import annotations

from collections.abc import Sequence

from common.artifacts import Run
from common.serving import ImageBase64, Service, serve_main
from common.serving.classifier import ClassificationResponse, TopLabelsRequest, responses
from common.timing import StageTimes
from patterns.vision.classification.config import NAME


class ClassificationRequest(TopLabelsRequest):
    """One image."""

    image: ImageBase64


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
            size = self.pipeline.preprocess.size
            images = [
                decode_image(request.image, row=row, shown_at=size)
                for row, request in enumerate(requests)
            ]
        with times("classify"):
            answers = self.pipeline.classify(images, k=max(request.k for request in requests))
        return responses(requests, answers, version=self.version, times=times)


if __name__ == "__main__":
    serve_main(ClassificationService, NAME, description=__doc__)
