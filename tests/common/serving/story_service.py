"""A service that answers word by word, and a serve command around it."""

from __future__ import annotations

import time
from collections.abc import Generator

from common.artifacts import Run
from common.serving import RequestError, Service, ServiceRequest, ServiceResponse, serve_main


class StoryRequest(ServiceRequest):
    text: str
    pause: float = 0.0  # seconds before each word


class StoryResponse(ServiceResponse):
    text: str


class StoryService(Service):
    """Tells a story word by word; the words `crash` and `refuse` end it."""

    name = "echo"
    Request = StoryRequest
    Response = StoryResponse
    example = {"text": "once upon a time"}
    max_batch = 8

    def __init__(self, run: Run | None = None) -> None:
        self.closed = 0

    def predict(self, requests: list[StoryRequest]) -> list[StoryResponse]:
        return [StoryResponse(text=request.text) for request in requests]

    def stream(self, request: StoryRequest) -> Generator[str, None, StoryResponse]:
        told = ""
        try:
            for word in request.text.split(" "):
                time.sleep(request.pause)
                if word == "crash":
                    raise ValueError("a bug, with a secret in its message")
                if word == "refuse":
                    raise RequestError("text", word, "this cannot be told", "leave it out")
                piece = f" {word}" if told else word
                told += piece
                yield piece
            return StoryResponse(text=told, stage_ms={"tell": 1.0})
        finally:
            self.closed += 1


if __name__ == "__main__":
    serve_main(StoryService, "echo")
