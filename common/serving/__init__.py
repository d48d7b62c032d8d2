"""The HTTP side of every pattern: a pattern brings a `Service`, this package brings the rest.

Reading order, which is the way of one request:

    run.py             the command: opens the artifact, binds the port, stops cleanly
    several.py         the command for several models side by side; front.py is what is before them
    ask.py             the command that asks a run without a server; readable.py prints the answer
    app.py             the routes: /predict, its batch and stream, what is watched, the page
    payload.py         bytes -> checked requests: size, content type, strict JSON, schema
    worker.py          the few threads that predict, and the bounded queue before them
    streaming.py       an answer sent in pieces while a thread makes it
    service.py         what a pattern writes: Request, Response, predict(batch), maybe stream(one)
    formats.py         how the page shows a field of them
    classifier.py      what every classifier answers
    errors.py          every refusal in one shape: field, value, message, remedy
    middleware.py      one id, one log line and one measurement per request
    metrics.py         what Prometheus scrapes
    prediction_log.py  what monitoring reads later
    page/              the page at / to try it by hand

No file here knows a pattern. Batching across requests, shedding by priority, canaries and load
balancing belong to deployment, not here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from common.serving.formats import ImageBase64, Share, shown
from common.serving.run import ServeConfig, serve, serve_main
from common.serving.service import RequestError, Service, ServiceRequest, ServiceResponse

if TYPE_CHECKING:
    from common.serving.app import create_app

__all__ = [
    "ImageBase64",
    "RequestError",
    "ServeConfig",
    "Service",
    "ServiceRequest",
    "ServiceResponse",
    "Share",
    "create_app",
    "serve",
    "serve_main",
    "shown",
]


def __getattr__(name: str) -> Any:
    """Import the web framework on first use: `--help` of a serve command must not wait for it."""
    if name == "create_app":
        from common.serving.app import create_app

        return create_app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
