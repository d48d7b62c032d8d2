"""What one server holds: the model that answers now, its worker, metrics, log, and readiness.

A model can be exchanged under a running server. `follow` looks where the pointer (`latest`,
`production`) stands; when it has moved, the newer run is checked, loaded and warmed up beside the
one that answers, and one assignment puts it in place. Requests that have begun end with the model
they began with, and nobody waits. A run that cannot be loaded leaves the older one answering.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Generator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from fastapi import Request, Response

from common.serving import metrics as measured
from common.serving.page import render
from common.serving.prediction_log import PredictionLog
from common.serving.service import RequestError, Service
from common.serving.streaming import EventStream, Pieces, event, failure
from common.serving.worker import Worker

if TYPE_CHECKING:
    from common.artifacts import Run

log = logging.getLogger("serving")
CARD_FIELDS = (
    "created", "dataset", "metrics", "served", "baseline", "metric", "notices", "seed", "config",
)  # fmt: skip
EXAMPLE_HEADER = "x-example"  # with it the page asks its example: that is not logged
Answered = tuple[list[bytes], float]  # the responses as JSON, and the seconds they took


class Newer(Protocol):
    """Where a newer run is looked for and how it becomes a service."""

    def path(self) -> Path:
        """Return the folder of the run that should be served now."""

    def load(self, path: Path) -> tuple[Service, Run]:
        """Check that run and make a service of it."""


@dataclass(frozen=True)
class Served:
    """The model that answers: its service, the run it came from, and what is shown of both."""

    service: Service
    run: Run

    @property
    def version(self) -> str:
        """Id of the run."""
        return self.run.version

    @cached_property
    def card(self) -> dict[str, Any]:
        """What `GET /model` answers."""
        return model_card(self.service, self.run)

    def is_example(self, rows: list[Any]) -> bool:
        """Whether `rows` are the example alone, as the page asks it by itself."""
        return rows == [self.service.Request.model_validate(self.service.example)]

    @cached_property
    def page(self) -> str:
        """The page at `/`."""
        return render.render(self.service, self.card)


class Server:
    """The state of one app: the served model, worker, metrics, log, and whether it is ready.

    The model may be exchanged while requests are answered: each reads `served` once.
    """

    def __init__(
        self,
        service: Service,
        run: Run,
        *,
        limit_bytes: int,
        worker: Worker,
        prediction_log: PredictionLog | None,
        stream_seconds: float,
    ) -> None:
        self.limit_bytes, self.worker, self.prediction_log = limit_bytes, worker, prediction_log
        self.stream_seconds = stream_seconds
        self.metrics = measured.Metrics()
        self.serve(Served(service, run))
        self.ready = False
        self.failure: str | None = None
        self.mounted = False  # beside others, below a page that lists them
        self.on_failure: Callable[[], None] = lambda: None
        self._names_version = "model_version" in service.Response.model_fields

    def serve(self, served: Served) -> None:
        """Answer by `served` from now on; a request that has begun ends with the model it had."""
        self.served = served
        dataset = (served.run.manifest.get("dataset") or {}).get("name", "")
        self.metrics.serve(served.service.name, served.version, str(dataset))

    def close(self) -> None:
        """End the threads that predict and close the log."""
        self.worker.close()
        if self.prediction_log is not None:
            self.prediction_log.close()

    async def follow(self, newer: Newer, seconds: float) -> None:
        """Look every so often for a newer run, load and warm it beside, and exchange the model.

        One that cannot be loaded or warmed is logged, and the model that answers stays.
        """
        refused: Path | None = None
        while True:
            await asyncio.sleep(seconds)
            found: Path | None = None
            try:
                found = await asyncio.to_thread(newer.path)
                if found in (self.served.run.path, refused):
                    continue
                served = Served(*await asyncio.to_thread(newer.load, found))
                await asyncio.to_thread(served.service.warm_up)
            except Exception as problem:
                refused = found
                self.metrics.reloads.labels("refused").inc()
                log.exception("newer run refused", extra={"fields": {"reason": str(problem)}})
                continue
            before = self.served.version
            self.serve(served)
            self.metrics.reloads.labels("served").inc()
            fields = {"version": served.version, "before": before}
            log.warning("serving a newer run", extra={"fields": fields})

    async def warm_up(self) -> None:
        """Warm the model up in a worker thread; being ready is said only after it."""
        try:
            await self.worker.run(self.served.service.warm_up)
        except Exception as problem:
            self.failure = f"warm-up failed: {type(problem).__name__}: {problem}"
            log.exception("warm-up failed")
            self.on_failure()
            return
        self.set_ready(True)

    def set_ready(self, ready: bool) -> None:
        """Say that traffic may come, or no longer."""
        self.ready = ready
        self.metrics.ready.set(float(ready))

    async def answer(self, request: Request, rows: list[Any], *, batch: bool) -> Response:
        """Predict `rows` in a worker thread and give the finished answer."""
        if not rows:
            return Response(b'{"responses":[]}', media_type="application/json")
        call = partial(
            self._predict, rows, request.state.request_id, keeps=self._keeps(request, rows)
        )
        (body, seconds), waited_ms = await self.worker.run(call)
        self._note(request, len(rows), seconds, waited_ms)
        timing = f"queue;dur={waited_ms:.2f}, predict;dur={seconds * 1000.0:.2f}"
        content = b'{"responses":[' + b",".join(body) + b"]}" if batch else body[0]
        return Response(content, headers={"server-timing": timing}, media_type="application/json")

    async def stream(self, request: Request, row: Any) -> Response:
        """Answer `row` by events, once its first piece is there; raises what is wrong before it."""
        served = self.served
        if not served.service.streams:
            message, remedy = "this model answers all at once", "send the same body to /predict"
            raise RequestError("path", request.url.path, message, remedy, status=404)
        keeps = self._keeps(request, [row])
        make = partial(self._pieces, served, row, request.state.request_id, keeps=keeps)
        start = time.perf_counter()
        pieces = Pieces(self.worker, make, seconds=self.stream_seconds)
        first = await pieces.first(request)
        self.metrics.first_piece_seconds.observe(time.perf_counter() - start)

        def end() -> None:
            if not pieces.ended:
                pieces.stop()
                self.metrics.errors.labels("gone").inc()

        return EventStream(self._events(request, pieces, first), on_end=end)

    async def _events(
        self, request: Request, pieces: Pieces[Answered], first: str | None
    ) -> AsyncIterator[bytes]:
        """Yield the pieces, and then the whole response, or the error that came in between."""
        try:
            piece = first
            while piece is not None:
                yield event("piece", {"text": piece})
                piece = await pieces.next()
            (body, seconds), waited_ms = await pieces.result()
        except Exception as problem:
            request_id = request.state.request_id
            kind, told = failure(problem, request_id)
            self.metrics.errors.labels(kind).inc()
            if kind == "internal":
                log.exception("unhandled", extra={"fields": {"id": request_id}})
            yield event("error", bytes(told.body))
            return
        self._note(request, 1, seconds, waited_ms, pieces=pieces.count)
        yield event("response", body[0])

    def _note(
        self, request: Request, rows: int, seconds: float, waited_ms: float, **more: int
    ) -> None:
        """Measure the wait, and put into the line of the log what is known by now."""
        self.metrics.queue_seconds.observe(waited_ms / 1000.0)
        milliseconds = {"predict_ms": round(seconds * 1000.0, 2), "queue_ms": round(waited_ms, 2)}
        request.state.log = {"rows": rows, **milliseconds, **more}

    def _keeps(self, request: Request, rows: list[Any]) -> bool:
        """Whether the prediction log keeps the answer: all but the page's own example."""
        return EXAMPLE_HEADER not in request.headers or not self.served.is_example(rows)

    def _predict(self, rows: list[Any], request_id: str, *, keeps: bool) -> Answered:
        """Predict, write down if the log `keeps` it, and serialise; runs in a worker thread."""
        start = time.perf_counter()
        served = self.served
        responses = served.service.predict(rows)
        seconds = time.perf_counter() - start
        assert len(responses) == len(rows), f"{len(responses)} responses to {len(rows)} requests"
        return self._finished(served, rows, responses, seconds, request_id, keeps=keeps)

    def _pieces(
        self, served: Served, row: Any, request_id: str, *, keeps: bool
    ) -> Generator[str, None, Answered]:
        """Yield the pieces of one answer, then do as `_predict` does; runs in a worker thread."""
        start = time.perf_counter()
        response = yield from served.service.stream(row)
        seconds = time.perf_counter() - start
        assert response is not None, f"{type(served.service).__name__}.stream returned no response"
        return self._finished(served, [row], [response], seconds, request_id, keeps=keeps)

    def _finished(
        self,
        served: Served,
        rows: list[Any],
        responses: list[Any],
        seconds: float,
        request_id: str,
        *,
        keeps: bool,
    ) -> Answered:
        """Measure, log and serialise what was answered."""
        if self._names_version:
            update = {"model_version": served.version}
            responses = [response.model_copy(update=update) for response in responses]
        stages = getattr(responses[0], "stage_ms", None) or {}
        self.metrics.observe_predict(len(rows), seconds, stages)
        if keeps and self.prediction_log is not None:
            records = map(served.service.log_record, rows, responses)
            lost = self.prediction_log.write(
                request_id, records, ms=seconds * 1000.0, version=served.version
            )
            self.metrics.log_dropped.inc(lost)
        return [response.model_dump_json().encode() for response in responses], seconds


def model_card(service: Service, run: Run) -> dict[str, Any]:
    """Return what a caller may know of the model: the manifest without its file list."""
    manifest = run.manifest
    card = {field: manifest[field] for field in CARD_FIELDS if field in manifest}
    return {"name": service.name, "version": run.version, **card, "max_batch": service.max_batch}
