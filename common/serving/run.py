"""The serve command: open the artifact, bind the port, answer, and stop without losing a request.

A pattern's `serve.py` ends in `serve_main(make_service, "fraud")`. What can be wrong is reported
before the port opens: no such run, a changed byte in the artifact, a port in use. On SIGTERM
the server stops accepting, answers what is in flight, and exits with 0. It listens on loopback
unless `--host` says otherwise: a model server has no authentication of its own.
"""

from __future__ import annotations

import json
import logging
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar, cast

from annotated_types import Interval

from common import config as command
from common import console
from common.serving.service import Service

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import ASGIApp

    from common.artifacts import Run
    from common.serving.server import Newer

STOP_SECONDS = 30


@dataclass(frozen=True)
class ServeConfig(command.CheckedConfig):
    """Flags of a serve command."""

    run: str = "latest"
    """`latest`, `production`, or the folder of a run."""
    runs: Path = Path("runs")
    """Folder that holds the runs."""
    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 opens it to the network, without authentication."""
    port: Annotated[int, Interval(ge=0, le=65535)] = 8000
    """Port to listen on; 0 picks a free one and prints it."""
    concurrency: Annotated[int, Interval(ge=1, le=64)] = 1
    """Predictions that run at once; above 1 the pipeline must be thread-safe."""
    queue_limit: Annotated[int, Interval(ge=0, le=100_000)] = 128
    """Requests that may wait for a thread; further ones get a 503 at once."""
    stream_seconds: Annotated[float, Interval(ge=0.1, le=86_400)] = 120.0
    """Longest time that an answer may take at /predict/stream."""
    max_body_mb: Annotated[float, Interval(ge=0.001, le=1024)] = 8.0
    """Largest request body, in megabytes."""
    prediction_log: Path | None = None
    """Folder that receives every answer as JSON lines, for monitoring."""
    follow_seconds: Annotated[float, Interval(ge=0, le=86_400)] = 0.0
    """Seconds between checks whether `--run` points to a newer run, which is then served; 0 never
    checks."""
    log_requests: bool = True
    """One JSON line per request on the error stream; failures are always logged."""


C = TypeVar("C", bound=ServeConfig)


@dataclass(frozen=True)
class _Pointer:
    """The run that `--run` names, looked up again each time."""

    config: ServeConfig
    name: str
    make_service: Callable[[Run], Service]

    def path(self) -> Path:
        from common import artifacts

        return artifacts.resolve(self.config.run, name=self.name, runs=self.config.runs)

    def load(self, path: Path) -> tuple[Service, Run]:
        from common import artifacts

        run = artifacts.open_run(path, name=self.name, runs=self.config.runs)
        return self.make_service(run), run


def serve_main(
    make_service: Callable[[Run], Service],
    name: str | Callable[[C], str],
    *,
    config: C | None = None,
    description: str = "Serve a trained run over HTTP.",
) -> None:
    """Run the serve command of the pattern `name`, whose runs are in `runs/<name>`.

    `config` holds the defaults of a pattern with flags of its own (a subclass of `ServeConfig`);
    `name` may then be computed from it.
    """
    defaults = config if config is not None else cast(C, ServeConfig())

    def main(chosen: C) -> None:
        from common.serving.worker import limit_threads

        limit_threads(chosen.concurrency)
        run_name = name if isinstance(name, str) else name(chosen)
        service, run, newer = opened(make_service, run_name, chosen)
        serve(service, run, config=chosen, newer=newer)

    command.run(main, {"default": defaults}, description=description)


def opened(
    make_service: Callable[[Run], Service], name: str, settings: ServeConfig
) -> tuple[Service, Run, Newer | None]:
    """Open the run that the flags name and make a service of it; with what looks for newer runs."""
    from common import artifacts

    run = artifacts.open_run(settings.run, name=name, runs=settings.runs)
    newer = _Pointer(settings, name, make_service) if settings.follow_seconds else None
    service = make_service(run)
    if newer and service.keeps_state:
        raise ValueError(
            f"follow_seconds: {service.name} keeps what it learned from requests, which a newer"
            " run would lose; leave out --follow-seconds, and restart the server for a new run"
        )
    return service, run, newer


def serve(
    service: Service,
    run: Run,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    config: ServeConfig | None = None,
    newer: Newer | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; `config`, if given, overrides `host` and `port`."""
    settings = config or ServeConfig(host=host, port=port)
    listener = bind(settings.host, settings.port)
    configure_logging(requests=settings.log_requests)
    app = application(service, run, settings, newer=newer)
    console.info(f"{service.name} {run.version} on {url(listener)}  (ctrl-c stops it)")
    answer(app, [app], listener)


def application(
    service: Service, run: Run, settings: ServeConfig, *, newer: Newer | None = None
) -> FastAPI:
    """Return the app of a service, set up by the flags of its command."""
    from common.serving.app import create_app

    _refuse_log_inside_run(settings, run)
    return create_app(
        service,
        run,
        max_body_bytes=int(settings.max_body_mb * 2**20),
        concurrency=settings.concurrency,
        queue_limit=settings.queue_limit,
        stream_seconds=settings.stream_seconds,
        prediction_log=settings.prediction_log,
        answer_while_warming=True,
        newer=newer,
        follow_seconds=settings.follow_seconds,
    )


def answer(app: ASGIApp, parts: Sequence[FastAPI], listener: socket.socket) -> None:
    """Answer by `app` until SIGTERM or SIGINT; raises if one of its `parts` cannot warm up."""
    import uvicorn

    server = uvicorn.Server(
        uvicorn.Config(
            app,
            access_log=False,
            log_config=None,
            timeout_graceful_shutdown=STOP_SECONDS,
            server_header=False,
            ws="none",
        )
    )
    for part in parts:
        part.state.server.on_failure = lambda: setattr(server, "should_exit", True)
    _run_to_the_end(server, listener)
    for part in parts:
        served, failure = part.state.server.served, part.state.server.failure
        if failure:
            about = f"{served.service.name} {served.version}"
            raise ValueError(f"{about}: {failure}; the log holds the details")
    console.info("stopped; every accepted request was answered")


def _run_to_the_end(server: object, listener: socket.socket) -> None:
    """Run uvicorn, which after a clean stop raises the signal that ended it again."""
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        server.run(sockets=[listener])  # type: ignore[attr-defined]
    except KeyboardInterrupt:
        pass  # stopped by ctrl-c, as the line above the prompt says
    finally:
        signal.signal(signal.SIGTERM, before)
        listener.close()


def bind(host: str, port: int) -> socket.socket:
    """Open the listening socket before anything else, so that a taken port gives one clear line."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise ValueError(
            f"port: {port} on {host} cannot be opened ({reason}); stop the program that uses it, or"
            " give --port another number (0 picks a free one), or --host another address"
        ) from None


def url(listener: socket.socket) -> str:
    """Return the address that a listening socket answers on."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def configure_logging(*, requests: bool) -> None:
    """Send the log to the error stream, one JSON object a line."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines())
    serving = logging.getLogger("serving")
    serving.setLevel(logging.INFO if requests else logging.WARNING)
    for name in ("serving", "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
    logging.getLogger("uvicorn").setLevel(logging.WARNING)


class _JsonLines(logging.Formatter):
    """One JSON object per record: time, level, event, and what `extra={"fields": ...}` adds."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line = {
            "time": f"{stamp}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


def _refuse_log_inside_run(settings: ServeConfig, run: Run) -> None:
    """Refuse a log inside the artifact, whose files are checked and must never change."""
    if settings.prediction_log is None:
        return
    if settings.prediction_log.resolve().is_relative_to(run.path.resolve()):
        raise ValueError(
            f"prediction_log: {str(settings.prediction_log)!r} lies inside the run that is served;"
            " give --prediction-log a folder outside it"
        )
