"""Several models in one server: `python -m patterns.nlp.serve all`.

    /                       a page that lists them
    /<task>/                all that the task's own server answers: /ner/predict, /ner/, /ner/model
    /healthz  /readyz       of the process; ready once every model is
    /metrics                of all, each sample with its task

Every model keeps an app, a queue and threads of its own, so that a slow one, which writes an answer
word by word, holds up no other; what they share is the process, its memory and its cores. A task
without a run is left out and said; a run that is broken is refused, as by a server of its own.
"""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from common import config as command
from common import console
from common.cost import resident_mb
from common.dispatch import run_task
from common.serving.ask import service_of
from common.serving.run import (
    ServeConfig,
    answer,
    application,
    bind,
    configure_logging,
    opened,
    url,
)
from common.serving.service import Service

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.applications import Starlette

ALL = "all"


@dataclass(frozen=True)
class SeveralConfig(ServeConfig):
    """Flags of a command that serves several tasks; `--run` is `latest` or `production`."""

    tasks: str = ""
    """Tasks to serve, separated by commas; without it all that have a run."""


def serve_task(package: str, tasks: Sequence[str], default: str) -> None:
    """Run the serve command of a pattern of several tasks: one of them, or `all`."""
    if sys.argv[1:2] != [ALL]:
        run_task(package, tasks, default, command="serve")
        return
    about = f"Serve all tasks of {package} that have a run: {', '.join(tasks)}."
    main = partial(serve_several, package, tasks)
    command.run(main, {"default": SeveralConfig()}, description=about, argv=sys.argv[2:])


def serve_several(package: str, tasks: Sequence[str], config: SeveralConfig) -> None:
    """Open the newest run of each task, mount them side by side, and serve until SIGTERM."""
    from common.serving.worker import limit_threads

    began = time.perf_counter()
    limit_threads(config.concurrency)
    kinds = chosen(package, tasks, config)
    listener = bind(config.host, config.port)
    configure_logging(requests=config.log_requests)
    parts = {}
    for task, kind in kinds.items():
        start, before = time.perf_counter(), resident_mb()
        parts[task] = app = part(task, kind, config)
        spent, grown = time.perf_counter() - start, resident_mb() - before
        version = app.state.server.served.version
        console.info(f"/{task}/  {version}   opened in {spent:.1f} s, {grown:+,.0f} MB")
    spent, held = time.perf_counter() - began, resident_mb()
    total = f"{len(parts)} of {len(tasks)} tasks, {spent:.1f} s, {held:,.0f} MB of memory"
    console.info(f"{package} on {url(listener)}   {total}  (ctrl-c stops it)")
    title = package.rpartition(".")[2].replace("_", " ")
    answer(together(title, parts), list(parts.values()), listener)


def chosen(package: str, tasks: Sequence[str], config: SeveralConfig) -> dict[str, type[Service]]:
    """Return the tasks to serve; a task without a run is left out and said, if it was not named."""
    from common.artifacts import POINTERS

    command.check_choice("run", config.run, POINTERS)
    named = [name for each in config.tasks.split(",") if (name := each.strip())]
    for name in named:
        command.check_choice("tasks", name, tuple(tasks))
    kinds, missing = {}, []
    for task in dict.fromkeys(named or tasks):
        kind = service_of(f"{package}.{task}")
        if named or (config.runs / kind.name / config.run).is_file():
            kinds[task] = kind
        else:
            missing.append(task)
    if not kinds:
        raise ValueError(
            f"runs: no task of {package} has a run under {config.runs}; train one:"
            f" python -m {package}.train {tasks[0]}"
        )
    if missing:
        console.notice(
            f"Left out, without a run: {', '.join(missing)}; python -m {package}.train TASK"
            " makes one."
        )
    return kinds


def part(task: str, kind: type[Service], config: SeveralConfig) -> FastAPI:
    """Open the run of one task and return its app."""
    log = config.prediction_log
    own = replace(config, prediction_log=log / task if log else None)
    make: Callable[..., Service] = kind
    service, run, newer = opened(make, kind.name, own)
    app = application(service, run, own, newer=newer)
    app.state.server.mounted = True
    return app


def together(title: str, parts: Mapping[str, FastAPI]) -> Starlette:
    """Mount the apps below their names, with the routes of the whole beside them."""
    from starlette.applications import Starlette
    from starlette.responses import RedirectResponse
    from starlette.routing import Mount, Route

    from common.serving.front import front_app

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for each in parts.values():  # a mounted app is not started by the one around it
                await stack.enter_async_context(each.router.lifespan_context(each))
            yield

    def slash(task: str) -> Route:
        return Route(f"/{task}", lambda request: RedirectResponse(f"{task}/"))

    mounts = [Mount(f"/{task}", app) for task, app in parts.items()]
    routes = [*map(slash, parts), *mounts, Mount("/", front_app(title, parts))]
    return Starlette(routes=routes, lifespan=lifespan)
