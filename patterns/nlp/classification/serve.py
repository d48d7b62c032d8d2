r"""Artifact -> HTTP: a text in, its likeliest labels out, with calibrated probabilities.

    python -m patterns.nlp.classification.serve --run latest
    curl -s 127.0.0.1:8000/predict -H 'content-type: application/json' \
      -d '{"text": "my card has not arrived", "k": 3}'

The page at / has a form for trying it. An exported model is served without torch.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from common.artifacts import Run
from common.serving import RequestError, Service, serve_main
from common.serving.classifier import ClassificationResponse, TopLabelsRequest, responses
from common.serving.formats import Truncated
from common.timing import StageTimes
from patterns.nlp.classification.config import NAME

LONGEST = 50_000  # characters of a text


class ClassificationRequest(TopLabelsRequest):
    """One text."""

    text: str = Field(min_length=1, max_length=LONGEST, description="the text to classify")


class TextResponse(ClassificationResponse):
    """The likeliest label, and the k likeliest, best first; probabilities are calibrated."""

    truncated: Truncated = False


class ClassificationService(Service):
    """Tells which of the known labels a text has, and how sure that is."""

    name = NAME
    Request = ClassificationRequest
    Response = TextResponse

    def __init__(self, run: Run) -> None:
        from patterns.nlp.classification.pipeline import Pipeline

        self.version = run.version
        self.pipeline = Pipeline.load(run.pipeline)
        self.example = {"text": self.pipeline.example_[:LONGEST], "k": self.pipeline.k}

    def predict(self, requests: Sequence[ClassificationRequest]) -> list[TextResponse]:
        """Classify the batch at once, and cut each answer to its `k`."""
        for row, request in enumerate(requests):
            if not request.text.strip():
                raise RequestError(
                    "text", request.text, "it is only white space", "give a text to classify",
                    row=row,
                )  # fmt: skip
        texts, times = [request.text for request in requests], StageTimes()
        with times("classify"):
            answers = self.pipeline.classify(texts, k=max(request.k for request in requests))
        found = responses(requests, answers, version=self.version, times=times)
        return [
            TextResponse.model_validate(each.model_dump() | {"truncated": cut})
            for each, cut in zip(found, self.pipeline.truncates(texts), strict=True)
        ]


if __name__ == "__main__":
    serve_main(ClassificationService, NAME, description=__doc__)
