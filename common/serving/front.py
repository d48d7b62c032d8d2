"""The routes in front of several models: the page that lists them, and what is asked of the whole.

The metrics of every model come together under their names, each sample with the label `task`; those
of the process stand there once. The whole is ready once every model is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fastapi import FastAPI, Response
from fastapi.responses import HTMLResponse, JSONResponse
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.registry import Collector

from common.serving import metrics as measured
from common.serving.errors import error_response, install_error_handlers
from common.serving.middleware import HeadAsGet, Observed
from common.serving.page import front, render

PROCESS, OF_FRONT = "process_", ("process_", "http_")


def front_app(title: str, parts: Mapping[str, FastAPI]) -> FastAPI:
    """Return the app of what is beside `parts`: /, /healthz, /readyz and /metrics of all."""
    own = measured.Metrics()
    registry = CollectorRegistry()
    registry.register(
        Together(own, {task: app.state.server.metrics for task, app in parts.items()})
    )
    app = FastAPI(title=title, docs_url=None, redoc_url=None)
    app.add_middleware(HeadAsGet)
    app.add_middleware(Observed, metrics=own, version=lambda: "")
    install_error_handlers(app)

    @app.get("/healthz", summary="Is the process alive?")
    async def healthz() -> dict[str, str]:
        return {"status": "alive"}

    @app.get("/readyz", summary="May it get traffic?")
    async def readyz() -> Response:
        waiting = [task for task, each in parts.items() if not each.state.server.ready]
        if waiting:
            message = f"not every model is ready: {', '.join(waiting)}"
            return error_response(
                503, field=None, value=None, message=message, remedy="try again in 5 s",
                headers={"retry-after": "5"},
            )  # fmt: skip
        versions = {task: each.state.server.served.version for task, each in parts.items()}
        return JSONResponse({"status": "ready", "versions": versions})

    @app.get("/metrics", summary="Of all models, for Prometheus")
    async def metrics() -> Response:
        return Response(generate_latest(registry), headers={"content-type": measured.CONTENT_TYPE})

    @app.get("/", include_in_schema=False)
    async def index() -> Response:
        return HTMLResponse(front.render(title, entries(parts)), headers=render.headers())

    return app


def entries(parts: Mapping[str, FastAPI]) -> list[front.Entry]:
    """Return what the page says of each model."""
    found = []
    for task, app in parts.items():
        server = app.state.server
        card, about = server.served.card, type(server.served.service).__doc__
        metric, rows = card.get("metric", ""), card.get("metrics") or {}
        value = (rows.get(card.get("served")) or {}).get(metric)
        reached = f"{metric} {value:.3f}" if isinstance(value, int | float) else ""
        dataset = str((card.get("dataset") or {}).get("name", ""))
        facts = (reached, dataset, card["version"])
        found.append(front.Entry(task, about or "", tuple(filter(None, facts)), server.ready))
    return found


class Together(Collector):
    """Collects the metrics of several apps, and those of the process and the front once."""

    def __init__(self, own: measured.Metrics, parts: Mapping[str, measured.Metrics]) -> None:
        self.own, self.parts = own, parts

    def collect(self) -> Iterator[Metric]:
        """Yield each family once, with the samples of all."""
        found: dict[str, Metric] = {}
        for task, family in self._families():
            whole = found.setdefault(
                family.name, Metric(family.name, family.documentation, family.type)
            )
            more = {"task": task} if task else {}
            whole.samples += [s._replace(labels={**s.labels, **more}) for s in family.samples]
        yield from found.values()

    def _families(self) -> Iterator[tuple[str, Metric]]:
        for family in self.own.registry.collect():
            if family.name.startswith(OF_FRONT):
                yield "", family
        for task, metrics in self.parts.items():
            for family in metrics.registry.collect():
                if not family.name.startswith(PROCESS):
                    yield task, family
