"""Around every request: an id, a measurement, one structured log line, and a last line of defence.

Written against the ASGI interface itself: the framework's convenience class for middleware costs
more than a small model's prediction. An exception that nobody handled becomes a 500 with the id
under which its traceback stands in the log; the caller never sees the traceback.

A log line is one JSON object: id, method, path, route, status, ms, the model's version, and for
predictions the number of rows with the milliseconds waited and computed.
"""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Callable
from typing import Any

from fastapi import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from common.serving.errors import error_response
from common.serving.metrics import Metrics

log = logging.getLogger("serving")
SAFE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
SHOWN_PATH = 200


class Observed:
    """ASGI middleware that identifies, measures, logs and, at worst, answers each request."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, version: Callable[[], str]) -> None:
        self.app, self.metrics, self.version = app, metrics, version

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and account for it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start = time.perf_counter()
        request_id = _request_id(scope)
        scope.setdefault("state", {}).update(request_id=request_id)
        extra = [
            (b"x-request-id", request_id.encode()),
            (b"x-model-version", self.version().encode("ascii", "replace")),
        ]
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message.get("headers", ()), *extra]}
            await send(message)

        self.metrics.in_flight.inc()
        try:
            await self.app(scope, receive, send_with_headers)
        except Exception:
            self.metrics.errors.labels("internal").inc()
            log.exception("unhandled", extra={"fields": {"id": request_id}})
            if status:
                raise  # the answer has begun; only cutting the connection tells so now
            await internal_error(request_id)(scope, receive, send_with_headers)
        finally:
            self.metrics.in_flight.dec()
            self._account(scope, request_id, status, time.perf_counter() - start)

    def _account(self, scope: Scope, request_id: str, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        self.metrics.observe_request(scope["method"], route, status, seconds)
        if log.isEnabledFor(logging.INFO):
            line: dict[str, Any] = {
                "id": request_id,
                "method": scope["method"][:SHOWN_PATH],
                "path": scope["path"][:SHOWN_PATH],
                "route": route,
                "status": status,
                "ms": round(seconds * 1000.0, 2),
                "version": self.version(),
                **scope["state"].get("log", {}),
            }
            log.info("request", extra={"fields": line})


class HeadAsGet:
    """ASGI middleware that answers HEAD as GET, without the body.

    The framework does not by itself, and a probe or a proxy that asks so would be told 405.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a HEAD on as GET and leave out what the body would be."""

        async def send_without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return
        inner = {**scope, "method": "GET"}  # a copy: the server itself must still see HEAD
        try:
            await self.app(inner, receive, send_without_body)
        finally:
            scope["route"] = inner.get("route")


def internal_error(request_id: str) -> Response:
    """Return the answer to a request that failed by our fault."""
    return error_response(
        500,
        field=None,
        value=None,
        message="the server failed on this request",
        remedy=f"report the id {request_id}; the log holds the details under it",
        id=request_id,
    )


def _request_id(scope: Scope) -> str:
    """Keep the caller's x-request-id where it is harmless, else make one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            text = value.decode("latin-1")
            if SAFE_ID.fullmatch(text):
                return text
    return uuid.uuid4().hex
