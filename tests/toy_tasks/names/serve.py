"""Artifact -> HTTP: the words of a text that begin with a capital."""

import re
from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel

from common.artifacts import Run
from common.serving import Service, ServiceRequest, ServiceResponse, shown


class NamesRequest(ServiceRequest):
    text: str


class Name(BaseModel):
    text: str
    label: str
    start: int
    end: int


class NamesResponse(ServiceResponse):
    spans: Annotated[list[Name], shown("spans")]


class NamesService(Service):
    """Finds names: words that begin with a capital letter. <b>"""

    name = "toy/names"
    Request = NamesRequest
    Response = NamesResponse
    example = {"text": "Anna met Bob"}

    def __init__(self, run: Run) -> None:
        self.run = run

    def predict(self, requests: Sequence[NamesRequest]) -> list[NamesResponse]:
        return [NamesResponse(spans=self._names(request.text)) for request in requests]

    def _names(self, text: str) -> list[Name]:
        found = re.finditer(r"\b[A-ZÀ-Þ]\w*", text)
        return [Name(text=m[0], label="NAME", start=m.start(), end=m.end()) for m in found]
