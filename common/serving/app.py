"""The routes around a `Service`, the same for every pattern.

    POST /predict        one request -> one response
    POST /predict/batch  {"requests": [...]} -> {"responses": [...]}, all or nothing, size-limited
    POST /predict/stream one request -> the answer in pieces, where the model makes it word by word
    GET  /healthz        the process is alive: restart it if this fails
    GET  /readyz         the model is loaded and warm: send it traffic; 503 before that
    GET  /metrics        for Prometheus
    GET  /model          the model card: name, version, dataset, metrics, created
    GET  /report         the evaluation report of the run that is served
    GET  /               a page to try it; needs no network

HEAD is answered wherever GET is, by the same headers.

Alive and ready are two questions: a model that is still warming up must get no traffic, yet
killing it for that would make it start over. The bodies are read and written as bytes here, not
by the framework's own machinery, which lets NaN through and costs more than a small model.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse
from pydantic import BaseModel, ValidationError

from common.serving import metrics as measured
from common.serving import payload
from common.serving.errors import (
    error_response,
    from_request_error,
    from_validation,
    install_error_handlers,
)
from common.serving.middleware import HeadAsGet, Observed
from common.serving.openapi import describe
from common.serving.page import render
from common.serving.prediction_log import PredictionLog
from common.serving.server import Newer, Server
from common.serving.service import RequestError, Service
from common.serving.streaming import Gone, TooSlow, failure
from common.serving.worker import Busy, Worker

if TYPE_CHECKING:
    from common.artifacts import Run

LEFT = 499  # for the log: the caller closed the connection, and nobody reads the answer


def create_app(
    service: Service,
    run: Run,
    *,
    max_body_bytes: int = 8 * 2**20,
    concurrency: int = 1,
    queue_limit: int = 128,
    queue_seconds: float = 10.0,
    stream_seconds: float = 120.0,
    prediction_log: Path | None = None,
    answer_while_warming: bool = False,
    newer: Newer | None = None,
    follow_seconds: float = 5.0,
) -> FastAPI:
    """Build the application that serves `service`, made from the artifact `run`.

    At most `concurrency` predictions run at once and `queue_limit` wait, each for at most
    `queue_seconds`; beyond that a request is answered 503. A stream may take `stream_seconds`.
    The model is warmed up when the app starts: before it answers at all, or, with
    `answer_while_warming`, beside answering 503.
    `prediction_log` is a folder that receives every answer as JSON lines. `newer`, where given, is
    asked every `follow_seconds` which run to serve.
    """
    logged = PredictionLog(prediction_log) if prediction_log else None
    worker = Worker(concurrency=concurrency, queue_limit=queue_limit, queue_seconds=queue_seconds)
    server = Server(
        service,
        run,
        limit_bytes=max_body_bytes,
        worker=worker,
        prediction_log=logged,
        stream_seconds=stream_seconds,
    )

    app = FastAPI(
        title=service.name,
        version=run.version,
        docs_url=None,  # both pages load their scripts from the network
        redoc_url=None,
        lifespan=_lifespan(server, answer_while_warming, newer, follow_seconds),
    )
    app.state.server = server
    app.add_middleware(HeadAsGet)  # inside of Observed, which counts what was asked
    app.add_middleware(Observed, metrics=server.metrics, version=lambda: server.served.version)
    install_error_handlers(app)
    _add_predict_routes(app, server)
    _add_watch_routes(app, server)
    _add_page_routes(app, server)
    describe(app, service)
    return app


def _lifespan(
    server: Server, answer_while_warming: bool, newer: Newer | None, follow_seconds: float
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """Return what warms the model up at the start, follows newer runs, and cleans up at the end."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        warming = asyncio.create_task(server.warm_up())
        if not answer_while_warming:
            await warming
        following = asyncio.create_task(server.follow(newer, follow_seconds)) if newer else None
        yield
        if following is not None:
            following.cancel()
        server.set_ready(False)
        await warming
        server.close()

    return lifespan


def _add_predict_routes(app: FastAPI, server: Server) -> None:
    service = server.served.service

    @app.post("/predict", summary="Answer one request")
    async def predict(request: Request) -> Response:
        return await _answered(server, request)

    @app.post("/predict/batch", summary=f"Answer up to {service.max_batch} requests")
    async def predict_batch(request: Request) -> Response:
        return await _answered(server, request, batch=True)

    shown = service.streams

    @app.post("/predict/stream", summary="Answer in pieces", include_in_schema=shown)
    async def predict_stream(request: Request) -> Response:
        return await _answered(server, request, stream=True)


async def _answered(
    server: Server, request: Request, *, batch: bool = False, stream: bool = False
) -> Response:
    """Read, check and answer a request, or say why not; what was refused is counted."""
    service = server.served.service
    kind = "request"
    try:
        if not server.ready:
            kind = "not_ready"
            return _unavailable("the model is not ready", server.failure, seconds=5)
        content = await payload.read_json(request, limit_bytes=server.limit_bytes)
        rows: list[BaseModel]
        if batch:
            rows = payload.check_batch(content, service.Request, max_batch=service.max_batch)
        else:
            rows = [service.Request.model_validate(content)]
        if stream:
            response = await server.stream(request, rows[0])
        else:
            response = await server.answer(request, rows, batch=batch)
        kind = ""
        return response
    except ValidationError as problem:
        return from_validation(problem)
    except payload.BatchRowError as problem:
        return from_validation(problem.problem, prefix=problem.prefix)
    except RequestError as problem:
        return from_request_error(problem, prefix=payload.BATCH_FIELD if batch else "")
    except Busy as problem:
        kind = "busy"
        return _unavailable("the server is busy", str(problem), seconds=1)
    except Gone:
        kind = "gone"
        return Response(status_code=LEFT)
    except TooSlow as problem:
        kind, response = failure(problem, request.state.request_id)
        return response
    except Exception:
        kind = ""  # counted by the middleware, which answers it
        raise
    finally:
        if kind:
            server.metrics.errors.labels(kind).inc()


def _add_watch_routes(app: FastAPI, server: Server) -> None:
    @app.get("/healthz", summary="Is the process alive?")
    async def healthz() -> dict[str, str]:
        return {"status": "alive"}

    @app.get("/readyz", summary="May it get traffic?")
    async def readyz() -> Response:
        if not server.ready:
            return _unavailable("the model is not ready", server.failure, seconds=5)
        return JSONResponse({"status": "ready", "version": server.served.version})

    @app.get("/metrics", summary="For Prometheus")
    async def metrics() -> Response:
        return Response(server.metrics.render(), headers={"content-type": measured.CONTENT_TYPE})


def _add_page_routes(app: FastAPI, server: Server) -> None:
    @app.get("/model", summary="The model card")
    async def model() -> dict[str, Any]:
        return server.served.card

    @app.get("/report", summary="The evaluation report")
    async def evaluation_report() -> Response:
        report = server.served.run.path / "report.html"
        if not report.is_file():
            return error_response(
                404,
                field="path",
                value="/report",
                message="this run has no report",
                remedy="train again to get one",
            )
        return FileResponse(report, media_type="text/html")

    @app.get("/", include_in_schema=False)
    async def index() -> Response:
        page = render.with_home(server.served.page) if server.mounted else server.served.page
        return HTMLResponse(page, headers=render.headers())


def _unavailable(message: str, detail: str | None, *, seconds: int) -> Response:
    return error_response(
        503,
        field=None,
        value=None,
        message=f"{message}: {detail}" if detail else message,
        remedy=f"try again in {seconds} s",
        headers={"retry-after": str(seconds)},
    )
