"""A service whose answers show texts: marked, quoted, beside others, cut, made word by word."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Annotated, Any

from pydantic import BaseModel, Field

from common.serving import Service, ServiceRequest, ServiceResponse, Share, shown
from common.serving.formats import Truncated

MARKUP = "<img src=x onerror=alert(1)>"
TEXT = f"👩‍🚀 Zoë Müller of the University of Graz met {MARKUP} 🎬 in שלום on Monday."
PASSAGE = (
    "The house stands on a hill above the river, and most of those who come to it walk. "
    "It was built in 1834 by 👷 Anna Bauer, who had come from Vienna with two of her sisters. "
) + "Nothing more is known of it. " * 20


class Found(BaseModel):
    text: str
    label: str
    start: int
    end: int
    score: Share


class Quote(BaseModel):
    text: str
    score: Share
    start: int
    end: int
    passage: str = ""
    title: Annotated[str, shown("title")]


class TextRequest(ServiceRequest):
    text: str = Field(description="the text to read")
    context: str = ""
    mode: str = "names"


class TextResponse(ServiceResponse):
    answer: Annotated[str | None, shown("verdict", nothing="no answer in the text")] = None
    score: Share | None = None
    spans: Annotated[list[Found], shown("spans")] = []
    quotes: Annotated[list[Quote], shown("quotes")] = []
    translation: Annotated[str | None, shown("beside")] = None
    truncated: Truncated = False


def at(text: str, part: str, label: str, score: float = 0.9) -> Found:
    start = text.index(part)  # in code points
    return Found(text=part, label=label, start=start, end=start + len(part), score=score)


class TextService(Service):
    """Shows each way in which an answer can be about a text."""

    name = "text"
    Request = TextRequest
    Response = TextResponse
    example: dict[str, Any] = {"text": TEXT, "context": PASSAGE}

    def predict(self, requests: list[TextRequest]) -> list[TextResponse]:
        return [self._answer(request) for request in requests]

    def _answer(self, request: TextRequest) -> TextResponse:
        text, long = request.text, len(request.text) > 100
        spans = [
            at(text, part, label)
            for part, label in (
                ("Zoë Müller", "PER"), ("University of Graz", "ORG"), ("Graz", "LOC"),
                (MARKUP, "CODE"), ("שלום", "LOC"), ("Monday", "DATE"),
            ) if part in text
        ]  # fmt: skip
        if "Anna Bauer" not in request.context:
            return TextResponse(spans=spans, truncated=long)
        start = request.context.index("Anna Bauer")
        quote = Quote(text="Anna Bauer", score=0.87, start=start, end=start + 10, title=MARKUP)
        other = Quote(
            text="Vienna", score=0.04, start=5, end=11, passage="From Vienna she came.", title="2"
        )
        return TextResponse(
            answer="Anna Bauer", score=0.87, spans=spans, quotes=[quote, other],
            translation="Ein Haus steht auf einem Hügel.", truncated=long,
        )  # fmt: skip


class TellingService(TextService):
    """Answers word by word."""

    def stream(self, request: TextRequest) -> Generator[str, None, TextResponse]:
        for word in ("Anna", " <b>Bauer</b>", " built it."):
            yield word
            time.sleep(0.3)
        if request.text == "crash":
            raise ValueError("a bug")
        return self._answer(request)
