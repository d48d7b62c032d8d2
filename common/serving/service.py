"""What a pattern writes to be served: a request, a response, and `predict` over a batch of them.

The service is built from the artifact alone and knows no HTTP, so the same object answers a web
request, a batch job and a test. Batch first: one request is a batch of one, and the answer to a
request must not depend on its neighbours.

Two kinds of failure are kept apart. What the caller did wrong is a `RequestError` that names the
field, the value and the remedy, and becomes a 4xx. Everything else a service raises, a plain
`ValueError` from deep inside numpy included, is our own fault: a 500 with an id, and a traceback
in the log.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field


class RequestError(ValueError):
    """The caller's fault, answered with `status`; `row` is its place in the batch, if known."""

    def __init__(
        self,
        field: str,
        value: Any,
        message: str,
        remedy: str,
        *,
        status: int = 422,
        row: int | None = None,
    ) -> None:
        assert 400 <= status < 500, f"a RequestError is a 4xx, not {status}"
        super().__init__(f"{field}: {message}; {remedy}")
        self.field, self.value, self.message, self.remedy = field, value, message, remedy
        self.status, self.row = status, row


class ServiceRequest(BaseModel):
    """Base of a request: a misspelt field is refused rather than ignored."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class ServiceResponse(BaseModel):
    """Base of a response: which model answered, and how long each of its stages took."""

    model_version: str = Field(default="", description="run id of the model that answered")
    stage_ms: dict[str, float] = Field(
        default_factory=dict, description="milliseconds of each stage, for the whole batch"
    )


class Service(ABC):
    """A loaded pipeline with a typed request and response.

    The first paragraph of a subclass's docstring stands at the head of the page at /, those of
    `Request` and `Response` above the form and the answer: write them for the caller.

    `example` is a real request, kept in the artifact. The page sends it on opening, so in a service
    that keeps state it must change nothing.

    `predict` is called from a worker thread, by default one call at a time, so that a pipeline
    need not be thread-safe unless it is served with `--concurrency` above 1.
    """

    name: str
    Request: type[BaseModel]
    Response: type[BaseModel]
    example: dict[str, Any]
    max_batch: ClassVar[int] = 64
    """Most requests that one call of /predict/batch may carry."""
    keeps_state: ClassVar[bool] = False
    """Whether requests change it: such a service cannot follow newer runs without losing that."""

    @abstractmethod
    def predict(self, requests: list[Any]) -> list[Any]:
        """Answer a batch: one `Response` per `Request`, in order.

        Raises `RequestError` for what only the model can know to be wrong, such as a broken image.
        """

    def warm_up(self) -> None:
        """Predict the example a few times, so that the first caller pays for no lazy set-up."""
        request = self.Request.model_validate(self.example)
        for size in (1, 1, min(2, self.max_batch)):
            self.predict([request] * size)

    def stream(self, request: Any) -> Generator[str, None, Any]:
        """Yield the answer to one request in pieces of text as they are made, and return it whole.

        Only for models that make an answer word by word: overriding it opens /predict/stream. What
        it returns is the `Response` that `predict` would give. It runs in a worker thread and is
        closed at a `yield` when the caller has gone: tidy up in a `finally`. A `RequestError`
        before the first `yield` becomes a 4xx.
        """
        raise NotImplementedError(f"{type(self).__name__} does not stream")

    @property
    def streams(self) -> bool:
        """Whether `stream` can be asked; override where it depends on the model that was loaded."""
        return type(self).stream is not Service.stream

    def log_record(self, request: Any, response: Any) -> dict[str, Any]:
        """Return what the prediction log keeps of one answer; override to add or drop data.

        Long strings, such as images, are replaced by their length and hash when written.
        """
        return {
            "request": request.model_dump(mode="json"),
            "response": response.model_dump(mode="json"),
        }
