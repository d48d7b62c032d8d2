"""What every classifier answers: the likeliest label, and the k likeliest, best first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, Field

from common.probabilities import Answer
from common.serving.formats import Share, shown
from common.serving.service import ServiceRequest, ServiceResponse
from common.timing import StageTimes


class TopLabelsRequest(ServiceRequest):
    """Something to classify, and how many labels to answer with."""

    k: int = Field(
        default=3, ge=1, le=1000, strict=True, description="how many labels to answer with"
    )


class LabelProbability(BaseModel):
    """A label and how likely it is."""

    label: str
    probability: Share


class ClassificationResponse(ServiceResponse):
    """The likeliest label, and the k likeliest, best first; probabilities are calibrated."""

    label: Annotated[str, shown("verdict")]
    probability: Share
    labels: list[LabelProbability]


def responses(
    requests: Sequence[TopLabelsRequest],
    answers: Sequence[Answer],
    *,
    version: str,
    times: StageTimes,
) -> list[ClassificationResponse]:
    """Cut each answer to the `k` of its request."""
    found = []
    for request, answer in zip(requests, answers, strict=True):
        labels = [
            LabelProbability(label=label, probability=min(1.0, share))
            for label, share in zip(answer.labels, answer.probabilities, strict=True)
        ][: request.k]
        first = labels[0]
        found.append(
            ClassificationResponse(
                model_version=version,
                stage_ms=times.milliseconds,
                label=first.label,
                probability=first.probability,
                labels=labels,
            )
        )
    return found
